/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/fake_quant.h"

#include <math.h>

#include "graph/slices.h"

int fake_quant_highest(int num_bits, bool is_unsigned)
{
    return (1 << (num_bits - 1 + (is_unsigned ? 1 : 0))) - 1;
}

int fake_quant_lowest(int num_bits, bool is_unsigned, bool narrow_range)
{
    if (is_unsigned)
        return 0;
    return -fake_quant_highest(num_bits, false) - (narrow_range ? 0 : 1);
}

static void quantize_run(const quantizer *q, float amax, const float *x, float *y, size_t n)
{
    float highest = (float)fake_quant_highest(q->num_bits, q->is_unsigned);
    float lowest = (float)fake_quant_lowest(q->num_bits, q->is_unsigned, q->narrow_range);
    if (q->only_clips) {
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] < -amax ? -amax : x[i] > amax ? amax : x[i];
        return;
    }
    if (amax <= FAKE_QUANT_TINY) {
        for (size_t i = 0; i < n; i++)
            y[i] = 0;
        return;
    }
    float scale = highest / amax;
    for (size_t i = 0; i < n; i++) {
        float code = rintf(x[i] * scale);
        code = code < lowest ? lowest : code > highest ? highest : code;
        y[i] = code / scale;
    }
}

static ptq_status check_values(const quantizer *q, const float *x, size_t n, ptq_error *err)
{
    for (int i = 0; i < q->n_amax; i++)
        if (!(q->amax[i] >= 0))
            return error_set(err, PTQ_USAGE, "amax %g is negative or not a number",
                             (double)q->amax[i]);
    for (size_t i = 0; q->is_unsigned && i < n; i++)
        if (x[i] < 0)
            return error_set(err, PTQ_USAGE, "value %g is negative under an unsigned quantizer",
                             (double)x[i]);
    return PTQ_OK;
}

/* One value at a time: each may have another range. */
static void quantize_slices(const quantizer *q, const shape *s, const float *x, float *y)
{
    size_t n = 0;
    if (!shape_count(s, &n))
        return;
    for (size_t i = 0; i < n; i++)
        quantize_run(q, q->amax[slices_index(s, q->several_axes, i)], x + i, y + i, 1);
}

ptq_status fake_quant(const quantizer *q, const shape *s, const float *x, float *y, ptq_error *err)
{
    size_t n;
    if (!shape_count(s, &n))
        return error_set(err, PTQ_SHAPE, "the shape of the values is not known");
    uint32_t axes = quantizer_axes(q);
    if (axes >> s->rank || slices_count(s, axes) != (size_t)q->n_amax)
        return error_set(err, PTQ_USAGE, "%d ranges do not fit the axes of the values", q->n_amax);
    PTQ_TRY(check_values(q, x, n, err));
    if (q->several_axes) {
        quantize_slices(q, s, x, y);
        return PTQ_OK;
    }
    size_t inner = 1;
    for (int i = q->axis < 0 ? 0 : q->axis + 1; i < s->rank; i++)
        inner *= (size_t)s->dim[i];
    for (size_t i = 0; inner && i < n / inner; i++)
        quantize_run(q, q->amax[i % (size_t)q->n_amax], x + i * inner, y + i * inner, inner);
    return PTQ_OK;
}
