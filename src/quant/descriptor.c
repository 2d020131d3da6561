/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/descriptor.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "quant/quant_yaml.h"

/* Where a patch is read from and to. */
typedef struct patch_reader {
    const yaml_doc *doc;
    arena *memory;
    descriptor *d;
} patch_reader;

typedef ptq_status read_fn(const patch_reader *r, const yaml_value *v, ptq_error *err);

/* ---------------------------------------------------------------- one reader per field */

static ptq_status read_bool(const patch_reader *r, const yaml_value *v, bool *out, ptq_error *err)
{
    if (!yaml_bool(v, out))
        return quant_yaml_error(err, r->doc, v, "true or false expected");
    return PTQ_OK;
}

static ptq_status read_num_bits(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    int64_t bits;
    if (v->kind == YAML_SEQUENCE)
        return quant_yaml_error(err, r->doc, v,
                                "floating point formats (num_bits: [4, 3]) are not "
                                "supported; use 8");
    if (!yaml_int(v, &bits) || bits < 2 || bits > 16)
        return quant_yaml_error(err, r->doc, v, "num_bits must be an integer from 2 to 16");
    r->d->num_bits = (int)bits;
    return PTQ_OK;
}

static ptq_status read_name(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    bool is_none = yaml_is_null(v);
    if (!is_none && !v->text)
        return quant_yaml_error(err, r->doc, v, "name must be a text");
    if (!is_none && strlen(v->text) >= DESCRIPTOR_NAME_BYTES)
        return quant_yaml_error(err, r->doc, v, "name is longer than %d bytes",
                                DESCRIPTOR_NAME_BYTES - 1);
    memset(r->d->name, 0, sizeof r->d->name);
    if (!is_none)
        memcpy(r->d->name, v->text, strlen(v->text));
    return PTQ_OK;
}

static ptq_status read_fake_quant(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    bool fake;
    PTQ_TRY(read_bool(r, v, &fake, err));
    if (!fake)
        return quant_yaml_error(err, r->doc, v,
                                "only fake quantization is supported in a layer: fake_quant: false "
                                "gives codes instead of values; leave it out");
    return PTQ_OK;
}

static ptq_status read_one_axis(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    int64_t axis;
    descriptor *d = r->d;
    if (!yaml_int(v, &axis) || axis < -SHAPE_MAX_RANK || axis >= SHAPE_MAX_RANK)
        return quant_yaml_error(err, r->doc, v,
                                "axis must be null, a number from %d to %d, or a list of such",
                                -SHAPE_MAX_RANK, SHAPE_MAX_RANK - 1);
    d->axis[d->n_axis++] = (int)axis;
    return PTQ_OK;
}

static ptq_status read_axis(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    r->d->n_axis = 0;
    if (yaml_is_null(v))
        return PTQ_OK;
    if (v->kind != YAML_SEQUENCE)
        return read_one_axis(r, v, err);
    if (v->n < 1 || v->n > SHAPE_MAX_RANK)
        return quant_yaml_error(err, r->doc, v, "axis must be a list of 1 to %d numbers",
                                SHAPE_MAX_RANK);
    for (int i = 0; i < v->n; i++)
        PTQ_TRY(read_one_axis(r, v->items[i], err));
    return PTQ_OK;
}

static ptq_status read_positive(const patch_reader *r, const yaml_value *v, const char *name,
                                float *out, ptq_error *err)
{
    double value;
    if (!yaml_double(v, &value) || !(value >= 0 && value <= (double)FLT_MAX))
        return quant_yaml_error(err, r->doc, v, "%s must be a number from 0", name);
    *out = (float)value;
    return PTQ_OK;
}

static ptq_status read_amax(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    descriptor *d = r->d;
    d->n_amax = yaml_is_null(v) ? 0 : v->kind == YAML_SEQUENCE ? v->n : 1;
    if (v->kind != YAML_SEQUENCE)
        return d->n_amax ? read_positive(r, v, "amax", &d->amax, err) : PTQ_OK;
    if (v->n == 0)
        return quant_yaml_error(err, r->doc, v, "amax is an empty list");
    float *list = arena_alloc(r->memory, (size_t)v->n, sizeof *list);
    if (!list)
        return error_no_memory(err, (size_t)v->n * sizeof *list, "ranges");
    for (int i = 0; i < v->n; i++)
        PTQ_TRY(read_positive(r, v->items[i], "amax", &list[i], err));
    d->amax = list[0];
    d->amax_list = list;
    return PTQ_OK;
}

static ptq_status read_scale_amax(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    r->d->scale_amax = 1;
    return yaml_is_null(v) ? PTQ_OK : read_positive(r, v, "scale_amax", &r->d->scale_amax, err);
}

static ptq_status read_learn_amax(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->learn_amax, err);
}

static ptq_status read_calib_method(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    bool is_max = v->text && strcmp(v->text, "max") == 0;
    if (!is_max && !(v->text && strcmp(v->text, "histogram") == 0))
        return quant_yaml_error(err, r->doc, v, "calib_method must be 'max' or 'histogram'");
    r->d->use_histogram = !is_max;
    return PTQ_OK;
}

static ptq_status read_amax_method(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    if (!v->text || !amax_method_from_name(v->text, &r->d->method))
        return quant_yaml_error(err, r->doc, v,
                                "amax_method must be 'max', 'percentile', 'entropy' or 'mse'");
    return PTQ_OK;
}

static ptq_status read_percentile(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    double *p = &r->d->percentile;
    if (!yaml_double(v, p) || !(*p >= 0 && *p <= 100))
        return quant_yaml_error(err, r->doc, v, "percentile must be a number from 0 to 100");
    return PTQ_OK;
}

static ptq_status read_unsigned(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->is_unsigned, err);
}

static ptq_status read_narrow_range(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->narrow_range, err);
}

static ptq_status read_disabled(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->disabled, err);
}

static ptq_status read_if_quant(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->if_quant, err);
}

static ptq_status read_if_clip(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->if_clip, err);
}

static ptq_status read_if_calib(const patch_reader *r, const yaml_value *v, ptq_error *err)
{
    return read_bool(r, v, &r->d->if_calib, err);
}

/* ---------------------------------------------------------------- the fields */

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

/* The bytes of a descriptor from one member up to the next. */
#define FROM(member, next) offsetof(descriptor, member), offsetof(descriptor, next)
#define ONLY(member)                                                                               \
    offsetof(descriptor, member), offsetof(descriptor, member) + sizeof(((descriptor *)0)->member)

/* In the order of the enum. */
static const struct {
    const char *key;
    read_fn *read;
    size_t begin, end;
} FIELDS[N_FIELDS] = {
    {"num_bits", read_num_bits, ONLY(num_bits)},
    {"name", read_name, ONLY(name)},
    {"fake_quant", read_fake_quant, 0, 0},
    {"axis", read_axis, FROM(n_axis, n_amax)},
    {"amax", read_amax, FROM(n_amax, scale_amax)},
    {"scale_amax", read_scale_amax, ONLY(scale_amax)},
    {"learn_amax", read_learn_amax, ONLY(learn_amax)},
    {"calib_method", read_calib_method, ONLY(use_histogram)},
    {"amax_method", read_amax_method, ONLY(method)},
    {"percentile", read_percentile, ONLY(percentile)},
    {"unsigned", read_unsigned, ONLY(is_unsigned)},
    {"narrow_range", read_narrow_range, ONLY(narrow_range)},
    {"disabled", read_disabled, ONLY(disabled)},
    {"if_quant", read_if_quant, ONLY(if_quant)},
    {"if_clip", read_if_clip, ONLY(if_clip)},
    {"if_calib", read_if_calib, ONLY(if_calib)},
};

static bool has(const descriptor_patch *p, int field)
{
    return p->set >> field & 1;
}

static ptq_status check_keys(const yaml_doc *doc, const yaml_value *v, ptq_error *err)
{
    const char *keys[N_FIELDS + 1] = {NULL};
    for (int i = 0; i < N_FIELDS; i++)
        keys[i] = FIELDS[i].key;
    return quant_yaml_check_keys(doc, v, "a descriptor", keys, err);
}

ptq_status descriptor_patch_parse(const yaml_doc *doc, const yaml_value *v, arena *memory,
                                  descriptor_patch *out, ptq_error *err)
{
    descriptor_patch p = {0};
    patch_reader r = {doc, memory, &p.value};
    PTQ_TRY(check_keys(doc, v, err));
    for (int field = 0; field < N_FIELDS; field++) {
        const yaml_value *value = yaml_get(v, FIELDS[field].key);
        if (!value)
            continue;
        PTQ_TRY(FIELDS[field].read(&r, value, err));
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
    if (p.value.learn_amax && has(&p, SET_AXIS) && p.value.n_axis > 0)
        return quant_yaml_error(err, doc, v, "learn_amax needs axis: null");
    *out = p;
    return PTQ_OK;
}

descriptor_patch descriptor_patch_all(const descriptor *d)
{
    return (descriptor_patch){.set = (1u << N_FIELDS) - 1, .value = *d};
}

void descriptor_apply(descriptor *d, const descriptor_patch *p)
{
    for (int i = 0; i < N_FIELDS; i++)
        if (has(p, i) && FIELDS[i].end > FIELDS[i].begin)
            memcpy((char *)d + FIELDS[i].begin, (const char *)&p->value + FIELDS[i].begin,
                   FIELDS[i].end - FIELDS[i].begin);
}

bool descriptor_patch_has_range(const descriptor_patch *p)
{
    uint32_t range = 1u << SET_AMAX | 1u << SET_SCALE_AMAX | 1u << SET_CALIB_METHOD |
                     1u << SET_AMAX_METHOD | 1u << SET_PERCENTILE | 1u << SET_LEARN_AMAX;
    return (p->set & range) != 0;
}

/* ---------------------------------------------------------------- defaults and questions */

descriptor descriptor_plain(void)
{
    return (descriptor){.num_bits = 8,
                        .scale_amax = 1,
                        .method = AMAX_MSE,
                        .percentile = 99.99,
                        .if_quant = true,
                        .if_calib = true};
}

descriptor descriptor_input(amax_method method, double percentile)
{
    descriptor d = descriptor_plain();
    d.use_histogram = true;
    d.method = method;
    d.percentile = percentile;
    return d;
}

descriptor descriptor_weight(int axis)
{
    descriptor d = descriptor_plain();
    d.n_axis = 1;
    d.axis[0] = axis;
    return d;
}

bool descriptor_is_on(const descriptor *d)
{
    return !d->disabled && (d->if_quant || d->if_clip);
}

float descriptor_amax(const descriptor *d, int i)
{
    return d->n_amax > 1 ? d->amax_list[i] : d->amax;
}

amax_method descriptor_method(const descriptor *d)
{
    return d->use_histogram ? d->method : AMAX_MAX;
}

ptq_status descriptor_check(const descriptor *d, ptq_error *err)
{
    if (d->num_bits < 2 || d->num_bits > 16)
        return error_set(err, PTQ_USAGE, "num_bits is %d, not 2 to 16", d->num_bits);
    if (d->learn_amax && d->n_axis > 0)
        return error_set(err, PTQ_USAGE, "learn_amax needs one range; set axis: null");
    if (d->if_clip && !d->learn_amax)
        return error_set(err, PTQ_USAGE, "if_clip needs learn_amax: true");
    if (d->n_amax > 1 && d->n_axis == 0)
        return error_set(err, PTQ_USAGE, "%d ranges in amax need an axis", d->n_amax);
    for (int i = 0; i < d->n_amax; i++)
        if (!(descriptor_amax(d, i) >= 0) || !(descriptor_amax(d, i) <= FLT_MAX))
            return error_set(err, PTQ_USAGE, "amax %g is negative or no number",
                             (double)descriptor_amax(d, i));
    if (!(d->scale_amax >= 0) || !(d->scale_amax <= FLT_MAX))
        return error_set(err, PTQ_USAGE, "scale_amax %g is negative or no number",
                         (double)d->scale_amax);
    return PTQ_OK;
}

ptq_status descriptor_axes(const descriptor *d, int rank, uint32_t *axes, ptq_error *err)
{
    uint32_t found = 0;
    for (int i = 0; i < d->n_axis; i++) {
        int axis = d->axis[i] < 0 ? d->axis[i] + rank : d->axis[i];
        if (axis < 0 || axis >= rank)
            return error_set(err, PTQ_USAGE, "axis %d is not one of a tensor with %d dimensions",
                             d->axis[i], rank);
        if (found >> axis & 1)
            return error_set(err, PTQ_USAGE, "axis %d is named twice", d->axis[i]);
        found |= 1u << axis;
    }
    *axes = found;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- writing */

static void write_axis(str *out, const descriptor *d)
{
    if (d->n_axis == 0)
        str_add(out, "null");
    else if (d->n_axis == 1)
        str_addf(out, "%d", d->axis[0]);
    for (int i = 0; d->n_axis > 1 && i < d->n_axis; i++)
        str_addf(out, "%s%d%s", i ? ", " : "[", d->axis[i], i + 1 == d->n_axis ? "]" : "");
}

/* Nine digits tell every float32. */
static void write_amax(str *out, const descriptor *d)
{
    if (d->n_amax == 0)
        str_add(out, "null");
    else if (d->n_amax == 1)
        str_addf(out, "%.9g", (double)d->amax);
    for (int i = 0; d->n_amax > 1 && i < d->n_amax; i++)
        str_addf(out, "%s%.9g%s", i ? ", " : "[", (double)d->amax_list[i],
                 i + 1 == d->n_amax ? "]" : "");
}

static void write_name(str *out, const descriptor *d)
{
    str_add(out, "'");
    for (const char *c = d->name; *c; c++)
        str_addf(out, *c == '\'' ? "''" : "%c", *c);
    str_add(out, "'");
}

static bool flag_of(const descriptor *d, int field)
{
    return *((const bool *)((const char *)d + FIELDS[field].begin));
}

static void write_value(str *out, const descriptor *d, int field)
{
    switch (field) {
    case SET_NUM_BITS:
        str_addf(out, "%d", d->num_bits);
        break;
    case SET_NAME:
        write_name(out, d);
        break;
    case SET_AXIS:
        write_axis(out, d);
        break;
    case SET_AMAX:
        write_amax(out, d);
        break;
    case SET_SCALE_AMAX:
        str_addf(out, "%.9g", (double)d->scale_amax);
        break;
    case SET_CALIB_METHOD:
        str_add(out, d->use_histogram ? "histogram" : "max");
        break;
    case SET_AMAX_METHOD:
        str_add(out, amax_method_name(d->method));
        break;
    case SET_PERCENTILE:
        str_addf(out, "%.17g", d->percentile);
        break;
    default:
        str_add(out, flag_of(d, field) ? "true" : "false");
    }
}

static bool is_equal(const descriptor *a, const descriptor *b, int field)
{
    if (field == SET_AXIS)
        return a->n_axis == b->n_axis &&
               memcmp(a->axis, b->axis, (size_t)a->n_axis * sizeof *a->axis) == 0;
    if (field == SET_AMAX && a->n_amax == b->n_amax) {
        for (int i = 0; i < a->n_amax; i++)
            if (descriptor_amax(a, i) != descriptor_amax(b, i))
                return false;
        return true;
    }
    return memcmp((const char *)a + FIELDS[field].begin, (const char *)b + FIELDS[field].begin,
                  FIELDS[field].end - FIELDS[field].begin) == 0;
}

/* Method and percentile mean something on a histogram only, and naming them asks for one. */
static bool is_written(const descriptor *d, const descriptor *base, int field, bool force)
{
    switch (field) {
    case SET_CALIB_METHOD:
        return !is_equal(d, base, field) || (force && !d->use_histogram);
    case SET_AMAX_METHOD:
        return d->use_histogram &&
               (force || !is_equal(d, base, field) || !is_equal(d, base, SET_CALIB_METHOD));
    case SET_PERCENTILE:
        return d->use_histogram && d->method == AMAX_PERCENTILE &&
               (force || !is_equal(d, base, field));
    default:
        return !is_equal(d, base, field);
    }
}

void descriptor_write(str *out, const descriptor *d, const descriptor *base, bool force)
{
    bool is_first = true;
    for (int i = 0; i < N_FIELDS; i++) {
        if (!is_written(d, base, i, force))
            continue;
        str_addf(out, "%s%s: ", is_first ? "" : ", ", FIELDS[i].key);
        write_value(out, d, i);
        is_first = false;
    }
}
