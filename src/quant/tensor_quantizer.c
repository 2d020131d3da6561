/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/tensor_quantizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/fake_quant.h"

/* ---------------------------------------------------------------- ranges */

static ptq_status replace_floats(float **to, size_t *n_to, const float *from, size_t n,
                                 ptq_error *err)
{
    float *copy = mem_array(n, sizeof *copy);
    if (!copy)
        return error_no_memory(err, n * sizeof *copy, "a quantizer's ranges");
    if (n > 0)
        memcpy(copy, from, n * sizeof *copy);
    mem_free(*to);
    *to = copy;
    *n_to = n;
    return PTQ_OK;
}

/* Steps and scales of ranges in use. A range that counts as zero has step and scale 1, as the
 * original reports it. */
static ptq_status set_steps(tensor_quantizer *q, const float *amax, size_t n, ptq_error *err)
{
    float highest = (float)fake_quant_highest(q->desc.num_bits, q->desc.is_unsigned);
    size_t n_scale = 0;
    PTQ_TRY(replace_floats(&q->step, &q->n_steps, amax, n, err));
    PTQ_TRY(replace_floats(&q->scale, &n_scale, amax, n, err));
    for (size_t i = 0; i < n; i++) {
        bool is_zero = amax[i] <= FAKE_QUANT_TINY;
        q->step[i] = is_zero ? 1 : amax[i] / highest;
        q->scale[i] = is_zero ? 1 : highest / amax[i];
    }
    return PTQ_OK;
}

/* scale_amax is for ranges that were found or given, not for a learned one. */
static float factor_of(const tensor_quantizer *q)
{
    return q->desc.learn_amax ? 1 : q->desc.scale_amax;
}

ptq_status tensor_quantizer_set_amax(tensor_quantizer *q, const float *amax, size_t n,
                                     ptq_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(amax[i] >= 0) || !(amax[i] <= FLT_MAX))
            return error_set(err, PTQ_USAGE, "amax %g is negative or no number", (double)amax[i]);
    if (n > 1 && q->desc.n_axis == 0)
        return error_set(err, PTQ_USAGE, "%zu ranges need an axis", n);
    if (n == 0 && q->desc.learn_amax)
        return error_set(err, PTQ_USAGE, "a learned range cannot be dynamic");
    PTQ_TRY(replace_floats(&q->amax, &q->n_amax, amax, n, err));
    q->is_dynamic = n == 0;
    PTQ_TRY(set_steps(q, q->amax, n, err));
    for (size_t i = 0; i < n; i++) {
        q->step[i] *= factor_of(q);
        q->scale[i] /= factor_of(q) > 0 ? factor_of(q) : 1;
    }
    return PTQ_OK;
}

ptq_status tensor_quantizer_create(const descriptor *d, bool fake_quant, tensor_quantizer **out,
                                   ptq_error *err)
{
    PTQ_TRY(descriptor_check(d, err));
    tensor_quantizer *q = mem_zalloc(sizeof *q);
    if (!q)
        return error_no_memory(err, sizeof *q, "a quantizer");
    q->desc = *d;
    q->desc.amax_list = NULL;
    q->desc.n_amax = 0;
    q->fake_quant = fake_quant;
    float one = d->n_amax == 1 ? d->amax : 1;
    bool is_list = d->n_amax > 1;
    size_t n = is_list ? (size_t)d->n_amax : d->n_amax == 1 || d->learn_amax ? 1 : 0;
    ptq_status st = tensor_quantizer_set_amax(q, is_list ? d->amax_list : &one, n, err);
    if (st == PTQ_OK)
        *out = q;
    else
        tensor_quantizer_destroy(q);
    return st;
}

void tensor_quantizer_destroy(tensor_quantizer *q)
{
    if (!q)
        return;
    histogram_clear(&q->values);
    mem_free(q->amax);
    mem_free(q->step);
    mem_free(q->scale);
    mem_free(q->seen);
    mem_free(q);
}

/* ---------------------------------------------------------------- the calibrators */

/* Raises `largest`, one number per slice, to |x|. */
static void track_largest(float *largest, const shape *s, uint32_t axes, const float *x)
{
    size_t n = 0;
    if (!shape_count(s, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        float *at = &largest[axes ? slices_index(s, axes, i) : 0];
        *at = fmaxf(*at, fabsf(x[i]));
    }
}

static ptq_status collect_max(tensor_quantizer *q, const shape *s, uint32_t axes, const float *x,
                              ptq_error *err)
{
    size_t n = slices_count(s, axes);
    if (q->n_seen > 0 && q->n_seen != n)
        return error_set(err, PTQ_USAGE,
                         "the calibrator saw %zu slices before and sees %zu now; their number "
                         "must not change",
                         q->n_seen, n);
    if (!q->seen) {
        q->seen = mem_array(n, sizeof *q->seen);
        if (!q->seen)
            return error_no_memory(err, n * sizeof *q->seen, "a calibrator");
        q->n_seen = n;
    }
    track_largest(q->seen, s, axes, x);
    return PTQ_OK;
}

static ptq_status collect_histogram(tensor_quantizer *q, const float *x, size_t n, ptq_error *err)
{
    if (q->desc.n_axis > 0)
        return error_set(err, PTQ_UNSUPPORTED,
                         "a histogram finds one range for the whole tensor; with an axis use "
                         "calib_method max");
    if (!q->values.counts)
        PTQ_TRY(histogram_init(&q->values, false, err));
    histogram_pool *pool;
    PTQ_TRY(histogram_pool_create(1, cpu_best(), &pool, err));
    value_rows rows = {x, 1, n, n};
    ptq_status st = histogram_add(&q->values, pool, &rows, err);
    histogram_pool_destroy(pool);
    return st;
}

ptq_status tensor_quantizer_load_calib(tensor_quantizer *q, amax_method method, double percentile,
                                       ptq_error *err)
{
    bool is_empty = q->desc.use_histogram ? !q->values.counts : !q->seen;
    if (is_empty)
        return error_set(err, PTQ_DATA,
                         "the calibrator has seen no values; run the quantizer with if_calib on "
                         "first");
    if (!q->desc.use_histogram)
        return tensor_quantizer_set_amax(q, q->seen, q->n_seen, err);
    amax_options o;
    float amax;
    amax_options_init(&o);
    o.num_bits = q->desc.num_bits;
    o.is_unsigned = q->desc.is_unsigned;
    o.percentile = percentile;
    PTQ_TRY(histogram_amax(&q->values, method, &o, &amax, err));
    return tensor_quantizer_set_amax(q, &amax, 1, err);
}

/* ---------------------------------------------------------------- a call */

/* The ranges of this call, scale_amax included; the caller frees *out. */
static ptq_status call_ranges(const tensor_quantizer *q, const shape *s, uint32_t axes,
                              const float *x, quantizer *out, ptq_error *err)
{
    size_t n = slices_count(s, axes);
    if (!q->is_dynamic && q->n_amax != n)
        return error_set(err, PTQ_USAGE, "%zu ranges do not fit %zu slices of the values",
                         q->n_amax, n);
    float *amax = mem_array(n, sizeof *amax);
    if (!amax)
        return error_no_memory(err, n * sizeof *amax, "a quantizer's ranges");
    if (q->is_dynamic)
        track_largest(amax, s, axes, x);
    for (size_t i = 0; i < n; i++)
        amax[i] = (q->is_dynamic ? amax[i] : q->amax[i]) * factor_of(q);
    *out = (quantizer){.enabled = true,
                       .num_bits = q->desc.num_bits,
                       .is_unsigned = q->desc.is_unsigned,
                       .narrow_range = q->desc.narrow_range || !q->fake_quant,
                       .n_amax = (int)n,
                       .amax = amax};
    quantizer_set_axes(out, axes);
    return PTQ_OK;
}

static ptq_status quantize(tensor_quantizer *q, const shape *s, uint32_t axes, float *y,
                           ptq_error *err)
{
    size_t n = 0;
    quantizer z = {0};
    PTQ_TRY(call_ranges(q, s, axes, y, &z, err));
    ptq_status st = fake_quant(&z, s, y, y, err);
    if (st == PTQ_OK && q->is_dynamic)
        st = set_steps(q, z.amax, (size_t)z.n_amax, err);
    float highest = (float)fake_quant_highest(z.num_bits, z.is_unsigned);
    if (st == PTQ_OK && !q->fake_quant && shape_count(s, &n))
        for (size_t i = 0; i < n; i++) {
            float amax = z.amax[axes ? slices_index(s, axes, i) : 0];
            y[i] = amax <= FAKE_QUANT_TINY ? 0 : rintf(y[i] * (highest / amax));
        }
    mem_free(z.amax);
    return st;
}

static ptq_status calibrate_values(tensor_quantizer *q, const shape *s, uint32_t axes,
                                   const float *x, ptq_error *err)
{
    size_t n = 0;
    if (!q->desc.use_histogram)
        return collect_max(q, s, axes, x, err);
    return shape_count(s, &n) ? collect_histogram(q, x, n, err) : PTQ_OK;
}

ptq_status tensor_quantizer_run(tensor_quantizer *q, const shape *s, const float *x, float *y,
                                ptq_error *err)
{
    size_t n;
    uint32_t axes;
    if (!shape_count(s, &n))
        return error_set(err, PTQ_USAGE, "the shape of the values is impossible");
    PTQ_TRY(descriptor_axes(&q->desc, s->rank, &axes, err));
    if (q->desc.if_clip && !q->desc.learn_amax)
        return error_set(err, PTQ_USAGE, "if_clip needs learn_amax");
    if (!q->desc.disabled && q->desc.if_calib)
        PTQ_TRY(calibrate_values(q, s, axes, x, err));
    if (x != y)
        memmove(y, x, n * sizeof *y);
    if (q->desc.disabled)
        return PTQ_OK;
    for (size_t i = 0; q->desc.if_clip && i < n; i++)
        y[i] = fminf(fmaxf(y[i], -q->amax[0]), q->amax[0]);
    return q->desc.if_quant ? quantize(q, s, axes, y, err) : PTQ_OK;
}

/* ---------------------------------------------------------------- printing */

static void print_amax(str *out, const tensor_quantizer *q)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < q->n_amax; i++) {
        low = fminf(low, q->amax[i]);
        high = fmaxf(high, q->amax[i]);
    }
    if (q->n_amax == 0)
        str_add(out, " amax=dynamic");
    else if (q->n_amax == 1)
        str_addf(out, " amax=%.4f", (double)low);
    else
        str_addf(out, " amax=[%.4f, %.4f](%zu)", (double)low, (double)high, q->n_amax);
}

static void print_axis(str *out, const descriptor *d)
{
    if (d->n_axis == 0)
        str_add(out, " per-tensor");
    else if (d->n_axis == 1)
        str_addf(out, " axis=%d", d->axis[0]);
    for (int i = 0; d->n_axis > 1 && i < d->n_axis; i++)
        str_addf(out, "%s%d%s", i ? ", " : " axis=(", d->axis[i], i + 1 == d->n_axis ? ")" : "");
}

void tensor_quantizer_print(str *out, const tensor_quantizer *q)
{
    const descriptor *d = &q->desc;
    if (d->disabled) {
        str_add(out, "disabled");
        return;
    }
    str_addf(out, "%s%dbit%s%s", d->is_unsigned ? "unsigned " : "", d->num_bits,
             d->narrow_range ? " narrow" : "", q->fake_quant ? " fake" : "");
    print_axis(out, d);
    print_amax(out, q);
    if (d->scale_amax != 1)
        str_addf(out, " *%g", (double)d->scale_amax);
    str_addf(out, "%s calibrator=%s%s%s%s", d->learn_amax ? " learned" : "",
             d->use_histogram ? "HistogramCalibrator" : "MaxCalibrator",
             d->if_quant ? " quant" : "", d->if_clip ? " clip" : "", d->if_calib ? " calib" : "");
}
