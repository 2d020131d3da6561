/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quantizer_api.h"

#include <string.h>

#include "base/mem.h"

amax_method method_of_calib(ptq_calib calib)
{
    switch (calib) {
    case PTQ_CALIB_MAX:
        return AMAX_MAX;
    case PTQ_CALIB_PERCENTILE:
        return AMAX_PERCENTILE;
    case PTQ_CALIB_ENTROPY:
        return AMAX_ENTROPY;
    case PTQ_CALIB_MSE:
        break;
    }
    return AMAX_MSE;
}

void ptq_quant_desc_init(ptq_quant_desc *d)
{
    *d = (ptq_quant_desc){.num_bits = 8,
                          .fake_quant = true,
                          .scale_amax = 1,
                          .amax_method = PTQ_CALIB_MSE,
                          .percentile = 99.99};
}

ptq_status descriptor_of(const ptq_quant_desc *d, descriptor *out, ptq_error *err)
{
    if (d->n_axis < 0 || d->n_axis > SHAPE_MAX_RANK || d->n_amax < 0 || (d->n_amax && !d->amax))
        return error_set(err, PTQ_USAGE, "a descriptor with %d axes and %d ranges is impossible",
                         d->n_axis, d->n_amax);
    if (!(d->percentile >= 0 && d->percentile <= 100))
        return error_set(err, PTQ_USAGE, "percentile %g is not in [0,100]", d->percentile);
    if (d->name && strlen(d->name) >= DESCRIPTOR_NAME_BYTES)
        return error_set(err, PTQ_USAGE, "name is longer than %d bytes", DESCRIPTOR_NAME_BYTES - 1);
    descriptor made = descriptor_plain();
    if (d->name)
        memcpy(made.name, d->name, strlen(d->name));
    made.num_bits = d->num_bits;
    made.n_axis = d->n_axis;
    memcpy(made.axis, d->axis, sizeof made.axis);
    made.n_amax = d->n_amax;
    made.amax = d->n_amax ? d->amax[0] : 0;
    made.amax_list = d->amax;
    made.scale_amax = d->scale_amax;
    made.learn_amax = d->learn_amax;
    made.use_histogram = d->calib_method == PTQ_CALIB_METHOD_HISTOGRAM;
    made.method = method_of_calib(d->amax_method);
    made.percentile = d->percentile;
    made.is_unsigned = d->is_unsigned;
    made.narrow_range = d->narrow_range;
    PTQ_TRY(descriptor_check(&made, err));
    *out = made;
    return PTQ_OK;
}

/* As the original: a learned range switches its clip on. */
ptq_status ptq_quantizer_create(const ptq_quant_desc *d, ptq_quantizer **out, ptq_error *err)
{
    ptq_quant_desc plain;
    descriptor made;
    ptq_quant_desc_init(&plain);
    PTQ_TRY(descriptor_of(d ? d : &plain, &made, err));
    made.if_calib = false;
    made.if_clip = made.learn_amax;
    ptq_quantizer *q = mem_zalloc(sizeof *q);
    if (!q)
        return error_no_memory(err, sizeof *q, "a quantizer");
    ptq_status status = tensor_quantizer_create(&made, d ? d->fake_quant : true, &q->q, err);
    if (status == PTQ_OK)
        *out = q;
    else
        mem_free(q);
    return status;
}

void ptq_quantizer_destroy(ptq_quantizer *q)
{
    if (!q)
        return;
    tensor_quantizer_destroy(q->q);
    mem_free(q->text);
    mem_free(q);
}

ptq_quantizer_state ptq_quantizer_get_state(const ptq_quantizer *q)
{
    const descriptor *d = &q->q->desc;
    return (ptq_quantizer_state){d->disabled, d->if_quant, d->if_clip, d->if_calib};
}

void ptq_quantizer_set_state(ptq_quantizer *q, ptq_quantizer_state state)
{
    descriptor *d = &q->q->desc;
    d->disabled = state.disabled;
    d->if_quant = state.if_quant;
    d->if_clip = state.if_clip;
    d->if_calib = state.if_calib;
}

ptq_status ptq_quantizer_run(ptq_quantizer *q, const float *x, const int64_t *dims, int rank,
                             float *y, ptq_error *err)
{
    if (rank < 0 || rank > SHAPE_MAX_RANK)
        return error_set(err, PTQ_USAGE, "values of %d dimensions; at most %d", rank,
                         SHAPE_MAX_RANK);
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0)
            return error_set(err, PTQ_USAGE, "dimension %d is negative", i);
    shape s = shape_make(rank, dims);
    return tensor_quantizer_run(q->q, &s, x, y, err);
}

ptq_status ptq_quantizer_load_calib(ptq_quantizer *q, ptq_calib method, double percentile,
                                    ptq_error *err)
{
    return tensor_quantizer_load_calib(q->q, method_of_calib(method),
                                       percentile > 0 ? percentile : q->q->desc.percentile, err);
}

ptq_status ptq_quantizer_set_amax(ptq_quantizer *q, const float *amax, size_t n, ptq_error *err)
{
    return tensor_quantizer_set_amax(q->q, amax, n, err);
}

static size_t give(const float *numbers, size_t n, const float **values)
{
    if (values)
        *values = n > 0 ? numbers : NULL;
    return n;
}

size_t ptq_quantizer_amax(const ptq_quantizer *q, const float **values)
{
    return give(q->q->amax, q->q->n_amax, values);
}

size_t ptq_quantizer_step_size(const ptq_quantizer *q, const float **values)
{
    return give(q->q->step, q->q->n_steps, values);
}

size_t ptq_quantizer_scale(const ptq_quantizer *q, const float **values)
{
    return give(q->q->scale, q->q->n_steps, values);
}

const char *ptq_quantizer_text(ptq_quantizer *q)
{
    str text = STR_INIT;
    tensor_quantizer_print(&text, q->q);
    mem_free(q->text);
    q->text = str_take(&text);
    return q->text;
}
