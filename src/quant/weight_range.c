/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/weight_range.h"

#include "base/mem.h"

int weight_range_count(const tensor *weight, const descriptor *d)
{
    return d->axis < 0 ? 1 : (int)weight->shape.dim[d->axis];
}

/* The elements of one channel: `outer` runs of `inner` values, `step` from run to run. */
static value_rows channel_values(const tensor *w, int axis, int channel)
{
    const float *data = blob_data(w->data);
    size_t inner = 1;
    size_t outer = 1;
    for (int i = axis + 1; i < w->shape.rank; i++)
        inner *= (size_t)w->shape.dim[i];
    for (int i = 0; i < axis; i++)
        outer *= (size_t)w->shape.dim[i];
    if (axis < 0)
        return (value_rows){data, 1, inner, inner};
    return (value_rows){data + (size_t)channel * inner, outer, inner,
                        inner * (size_t)w->shape.dim[axis]};
}

ptq_status weight_range(const tensor *weight, const descriptor *d, float *amax, ptq_error *err)
{
    histogram_pool *pool;
    PTQ_TRY(histogram_pool_create(1, cpu_best(), &pool, err));
    amax_options options;
    amax_options_init(&options);
    options.num_bits = d->num_bits;
    options.is_unsigned = d->is_unsigned;
    options.percentile = d->percentile;
    ptq_status st = PTQ_OK;
    for (int c = 0; c < weight_range_count(weight, d) && st == PTQ_OK; c++) {
        histogram h;
        value_rows rows = channel_values(weight, d->axis, c);
        st = histogram_init(&h, true, err);
        if (st == PTQ_OK)
            st = histogram_add(&h, pool, &rows, err);
        if (st == PTQ_OK)
            st = histogram_amax(&h, descriptor_method(d), &options, &amax[c], err);
        histogram_clear(&h);
    }
    histogram_pool_destroy(pool);
    return st;
}
