/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/descriptor.h"

#include <float.h>
#include <string.h>

#include "base/str.h"
#include "quant/quant_yaml.h"

typedef ptq_status read_fn(const yaml_doc *doc, const yaml_value *v, descriptor *d, ptq_error *err);

/* ---------------------------------------------------------------- one reader per field */

static ptq_status read_bool(const yaml_doc *doc, const yaml_value *v, bool *out, ptq_error *err)
{
    if (!yaml_bool(v, out))
        return quant_yaml_error(err, doc, v, "true or false expected");
    return PTQ_OK;
}

static ptq_status read_num_bits(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                ptq_error *err)
{
    int64_t bits;
    if (v->kind == YAML_SEQUENCE)
        return quant_yaml_error(err, doc, v,
                                "floating point formats (num_bits: [4, 3]) are not "
                                "supported; use 8");
    if (!yaml_int(v, &bits) || bits < 2 || bits > 16)
        return quant_yaml_error(err, doc, v, "num_bits must be an integer from 2 to 16");
    d->num_bits = (int)bits;
    return PTQ_OK;
}

static ptq_status read_name(const yaml_doc *doc, const yaml_value *v, descriptor *d, ptq_error *err)
{
    (void)d; /* only a remark: quantizers are named after their layer */
    if (v->kind != YAML_SCALAR)
        return quant_yaml_error(err, doc, v, "name must be a text");
    return PTQ_OK;
}

static ptq_status read_fake_quant(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                  ptq_error *err)
{
    (void)d;
    bool fake;
    PTQ_TRY(read_bool(doc, v, &fake, err));
    if (!fake)
        return quant_yaml_error(err, doc, v,
                                "fake_quant: false gives codes instead of values and "
                                "is not supported; leave it out");
    return PTQ_OK;
}

/* null, an axis, or a list of one axis (as QuantDescriptor's tuple). */
static ptq_status read_axis(const yaml_doc *doc, const yaml_value *v, descriptor *d, ptq_error *err)
{
    int64_t axis;
    if (yaml_is_null(v)) {
        d->axis = -1;
        return PTQ_OK;
    }
    const yaml_value *one = v->kind == YAML_SEQUENCE && v->n == 1 ? v->items[0] : v;
    if (!yaml_int(one, &axis) || axis < 0 || axis > 7)
        return quant_yaml_error(err, doc, v, "axis must be null or a number from 0");
    d->axis = (int)axis;
    return PTQ_OK;
}

static ptq_status read_positive(const yaml_doc *doc, const yaml_value *v, const char *name,
                                float *out, ptq_error *err)
{
    double value;
    if (!yaml_double(v, &value) || !(value >= 0 && value <= (double)FLT_MAX))
        return quant_yaml_error(err, doc, v, "%s must be a number from 0", name);
    *out = (float)value;
    return PTQ_OK;
}

static ptq_status read_amax(const yaml_doc *doc, const yaml_value *v, descriptor *d, ptq_error *err)
{
    d->has_amax = !yaml_is_null(v);
    return d->has_amax ? read_positive(doc, v, "amax", &d->amax, err) : PTQ_OK;
}

static ptq_status read_scale_amax(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                  ptq_error *err)
{
    d->scale_amax = 1;
    return yaml_is_null(v) ? PTQ_OK : read_positive(doc, v, "scale_amax", &d->scale_amax, err);
}

static ptq_status read_learn_amax(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                  ptq_error *err)
{
    return read_bool(doc, v, &d->is_learned, err);
}

static ptq_status read_calib_method(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                    ptq_error *err)
{
    bool is_max = v->text && strcmp(v->text, "max") == 0;
    if (!is_max && !(v->text && strcmp(v->text, "histogram") == 0))
        return quant_yaml_error(err, doc, v, "calib_method must be 'max' or 'histogram'");
    d->use_histogram = !is_max;
    return PTQ_OK;
}

static ptq_status read_amax_method(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                   ptq_error *err)
{
    if (!v->text || !amax_method_from_name(v->text, &d->method))
        return quant_yaml_error(err, doc, v,
                                "amax_method must be 'max', 'percentile', 'entropy' or 'mse'");
    return PTQ_OK;
}

static ptq_status read_percentile(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                  ptq_error *err)
{
    if (!yaml_double(v, &d->percentile) || !(d->percentile >= 0 && d->percentile <= 100))
        return quant_yaml_error(err, doc, v, "percentile must be a number from 0 to 100");
    return PTQ_OK;
}

static ptq_status read_unsigned(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                ptq_error *err)
{
    return read_bool(doc, v, &d->is_unsigned, err);
}

static ptq_status read_narrow_range(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                    ptq_error *err)
{
    return read_bool(doc, v, &d->narrow_range, err);
}

static ptq_status read_disabled(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                ptq_error *err)
{
    bool disabled;
    PTQ_TRY(read_bool(doc, v, &disabled, err));
    d->enabled = !disabled;
    return PTQ_OK;
}

static ptq_status read_if_quant(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                ptq_error *err)
{
    return read_bool(doc, v, &d->enabled, err);
}

static ptq_status read_if_clip(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                               ptq_error *err)
{
    (void)d;
    bool clip;
    PTQ_TRY(read_bool(doc, v, &clip, err));
    if (clip)
        return quant_yaml_error(err, doc, v,
                                "if_clip needs a range learned in training, which is "
                                "not done here; give the range as amax");
    return PTQ_OK;
}

static ptq_status read_if_calib(const yaml_doc *doc, const yaml_value *v, descriptor *d,
                                ptq_error *err)
{
    return read_bool(doc, v, &d->is_calibrated, err);
}

/* ---------------------------------------------------------------- the fields */

/* FIELD(key, flag) in the order of KEYS and READERS. */
enum {
    SET_NUM_BITS,
    SET_NAME,
    SET_FAKE_QUANT,
    SET_AXIS,
    SET_AMAX,
    SET_SCALE_AMAX,
    SET_LEARN_AMAX,
    SET_CALIB_METHOD,
    SET_AMAX_METHOD,
    SET_PERCENTILE,
    SET_UNSIGNED,
    SET_NARROW_RANGE,
    SET_DISABLED,
    SET_IF_QUANT,
    SET_IF_CLIP,
    SET_IF_CALIB,
    N_FIELDS
};

static const char *const KEYS[N_FIELDS + 1] = {
    "num_bits",   "name",         "fake_quant",  "axis",       "amax",     "scale_amax",
    "learn_amax", "calib_method", "amax_method", "percentile", "unsigned", "narrow_range",
    "disabled",   "if_quant",     "if_clip",     "if_calib",   NULL};

static read_fn *const READERS[N_FIELDS] = {
    read_num_bits,    read_name,       read_fake_quant, read_axis,
    read_amax,        read_scale_amax, read_learn_amax, read_calib_method,
    read_amax_method, read_percentile, read_unsigned,   read_narrow_range,
    read_disabled,    read_if_quant,   read_if_clip,    read_if_calib};

static bool has(const descriptor_patch *p, int field)
{
    return p->set >> field & 1;
}

ptq_status descriptor_patch_parse(const yaml_doc *doc, const yaml_value *v, descriptor_patch *out,
                                  ptq_error *err)
{
    descriptor_patch p = {0};
    PTQ_TRY(quant_yaml_check_keys(doc, v, "a descriptor", KEYS, err));
    for (int field = 0; field < N_FIELDS; field++) {
        const yaml_value *value = yaml_get(v, KEYS[field]);
        if (!value)
            continue;
        PTQ_TRY(READERS[field](doc, value, &p.value, err));
        p.set |= 1u << field;
    }
    if (has(&p, SET_PERCENTILE) && !has(&p, SET_AMAX_METHOD)) {
        p.value.method = AMAX_PERCENTILE;
        p.set |= 1u << SET_AMAX_METHOD;
    }
    if (has(&p, SET_AMAX_METHOD) && !has(&p, SET_CALIB_METHOD)) {
        p.value.use_histogram = true;
        p.set |= 1u << SET_CALIB_METHOD;
    }
    if (p.value.is_learned && has(&p, SET_AXIS) && p.value.axis >= 0)
        return quant_yaml_error(err, doc, v, "learn_amax needs axis: null");
    *out = p;
    return PTQ_OK;
}

void descriptor_apply(descriptor *d, const descriptor_patch *p)
{
    const descriptor *from = &p->value;
    if (has(p, SET_NUM_BITS))
        d->num_bits = from->num_bits;
    if (has(p, SET_AXIS))
        d->axis = from->axis;
    if (has(p, SET_AMAX)) {
        d->has_amax = from->has_amax;
        d->amax = from->amax;
    }
    if (has(p, SET_SCALE_AMAX))
        d->scale_amax = from->scale_amax;
    if (has(p, SET_LEARN_AMAX))
        d->is_learned = from->is_learned;
    if (has(p, SET_CALIB_METHOD))
        d->use_histogram = from->use_histogram;
    if (has(p, SET_AMAX_METHOD))
        d->method = from->method;
    if (has(p, SET_PERCENTILE))
        d->percentile = from->percentile;
    if (has(p, SET_UNSIGNED))
        d->is_unsigned = from->is_unsigned;
    if (has(p, SET_NARROW_RANGE))
        d->narrow_range = from->narrow_range;
    if (has(p, SET_DISABLED) || has(p, SET_IF_QUANT))
        d->enabled = from->enabled;
    if (has(p, SET_IF_CALIB))
        d->is_calibrated = from->is_calibrated;
}

bool descriptor_patch_has_range(const descriptor_patch *p)
{
    uint32_t range = 1u << SET_AMAX | 1u << SET_SCALE_AMAX | 1u << SET_CALIB_METHOD |
                     1u << SET_AMAX_METHOD | 1u << SET_PERCENTILE;
    return (p->set & range) != 0;
}

descriptor descriptor_input(amax_method method, double percentile)
{
    return (descriptor){.enabled = true,
                        .num_bits = 8,
                        .axis = -1,
                        .scale_amax = 1,
                        .is_calibrated = true,
                        .use_histogram = true,
                        .method = method,
                        .percentile = percentile};
}

descriptor descriptor_weight(int axis)
{
    descriptor d = descriptor_input(AMAX_MSE, 99.99);
    d.axis = axis;
    d.use_histogram = false;
    return d;
}

amax_method descriptor_method(const descriptor *d)
{
    return d->use_histogram ? d->method : AMAX_MAX;
}
