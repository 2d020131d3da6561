/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/weight_range.h"

#include "base/mem.h"
#include "graph/slices.h"

/* The one axis of `axes`; -1: none or several. */
static int only_axis(uint32_t axes)
{
    quantizer q;
    quantizer_set_axes(&q, axes);
    return q.axis;
}

/* The elements of one channel: `outer` runs of `inner` values, `step` from run to run. */
static value_rows channel_values(const tensor *w, int axis, size_t channel)
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
    return (value_rows){data + channel * inner, outer, inner, inner * (size_t)w->shape.dim[axis]};
}

/* The weight's values, slice after slice; the caller frees. */
static ptq_status sorted_by_slice(const tensor *w, uint32_t axes, size_t n, float **out,
                                  ptq_error *err)
{
    const float *data = blob_data(w->data);
    size_t n_slices = slices_count(&w->shape, axes);
    float *values = mem_array(n, sizeof *values);
    size_t *filled = mem_array(n_slices, sizeof *filled);
    bool ok = values && filled;
    for (size_t i = 0; ok && i < n; i++) {
        size_t slice = slices_index(&w->shape, axes, i);
        values[slice * (n / n_slices) + filled[slice]++] = data[i];
    }
    mem_free(filled);
    if (!ok) {
        mem_free(values);
        return error_no_memory(err, n * sizeof *values, "a weight's slices");
    }
    *out = values;
    return PTQ_OK;
}

static ptq_status slice_range(const value_rows *rows, const descriptor *d, histogram_pool *pool,
                              float *amax, ptq_error *err)
{
    amax_options options;
    amax_options_init(&options);
    options.num_bits = d->num_bits;
    options.is_unsigned = d->is_unsigned;
    options.percentile = d->percentile;
    histogram h;
    PTQ_TRY(histogram_init(&h, true, err));
    ptq_status st = histogram_add(&h, pool, rows, err);
    if (st == PTQ_OK)
        st = histogram_amax(&h, descriptor_method(d), &options, amax, err);
    histogram_clear(&h);
    return st;
}

ptq_status weight_range(const tensor *weight, const descriptor *d, uint32_t axes, float *amax,
                        ptq_error *err)
{
    size_t n = 0;
    size_t n_slices = slices_count(&weight->shape, axes);
    bool is_plain = axes == 0 || only_axis(axes) >= 0;
    float *sorted = NULL;
    histogram_pool *pool = NULL;
    if (!shape_count(&weight->shape, &n) || n == 0)
        return error_set(err, PTQ_DATA, "the weight is empty");
    if (!is_plain)
        PTQ_TRY(sorted_by_slice(weight, axes, n, &sorted, err));
    ptq_status st = histogram_pool_create(1, cpu_best(), &pool, err);
    size_t length = n / n_slices;
    for (size_t i = 0; i < n_slices && st == PTQ_OK; i++) {
        value_rows rows = is_plain ? channel_values(weight, only_axis(axes), i)
                                   : (value_rows){sorted + i * length, 1, length, length};
        st = slice_range(&rows, d, pool, &amax[i], err);
    }
    histogram_pool_destroy(pool);
    mem_free(sorted);
    return st;
}
