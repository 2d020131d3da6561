/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/lint/lint_build.h — quantized ONNX files for the tests of the lint, and how they are
 * judged. start_pair() makes a file that every target likes; a test changes what it is about.
 */
#ifndef LINT_BUILD_H
#define LINT_BUILD_H

#include "../model/onnx_build.h"
#include "base/half.h"
#include "lint/lint.h"

enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT16 = 5, INT32 = 6, INT64 = 7, FLOAT16 = 10, INT4 = 22 };

#define DIMS(...)                                                                                  \
    (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* ---- making ---- */

static inline Onnx__NodeProto *named(file *f, const char *name, Onnx__NodeProto *n)
{
    n->name = arena_strdup(f->a, name);
    return n;
}

static inline char *joint(file *f, const char *name, const char *suffix)
{
    return arena_printf(f->a, "%s%s", name, suffix);
}

/* `n` equal scales; 0: a scalar. */
static inline void scales(file *f, const char *name, int64_t n, float value)
{
    float values[64];
    for (int i = 0; i < 64; i++)
        values[i] = value;
    raw(f, constant(f, name, FLOAT, n ? 1 : 0, &n), values, (size_t)(n ? n : 1) * sizeof *values);
}

/* Codes of one byte each, all zero. */
static inline void zeros(file *f, const char *name, int type, size_t rank, const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    raw(f, constant(f, name, type, rank, dims), NULL, type == INT32 ? 4 * count : count);
}

/* x -> name.q -> name.dq, int8 with one scale; gives the dequantized tensor "name.dq". */
static inline const char *pair(file *f, const char *x, const char *name, float scale)
{
    scales(f, joint(f, name, ".scale"), 0, scale);
    zeros(f, joint(f, name, ".zero"), INT8, 0, NULL);
    named(f, joint(f, name, ".q"),
          op(f, "QuantizeLinear", arena_printf(f->a, "%s %s.scale %s.zero", x, name, name),
             joint(f, name, ".codes")));
    named(f, joint(f, name, ".dq"),
          op(f, "DequantizeLinear",
             arena_printf(f->a, "%s.codes %s.scale %s.zero", name, name, name),
             joint(f, name, ".dq")));
    return joint(f, name, ".dq");
}

/* int8 codes "name.weight" with a scale per output channel, dequantized to "name.w". */
static inline void weight(file *f, const char *name, int64_t out, int64_t in, int64_t kernel)
{
    zeros(f, joint(f, name, ".weight"), INT8, DIMS(out, in, kernel, kernel));
    scales(f, joint(f, name, ".weight_scale"), out, 0.01f);
    zeros(f, joint(f, name, ".weight_zero"), INT8, DIMS(out));
    attr_int(
        f,
        named(f, joint(f, name, ".weight_dq"),
              op(f, "DequantizeLinear",
                 arena_printf(f->a, "%s.weight %s.weight_scale %s.weight_zero", name, name, name),
                 joint(f, name, ".w"))),
        "axis", 0);
}

/* A quantized convolution of 16 to 16 channels: x -> pair "name.in" -> Conv "name" -> y. */
static inline Onnx__NodeProto *conv(file *f, const char *x, const char *name, float scale,
                                    const char *y)
{
    const char *in = pair(f, x, joint(f, name, ".in"), scale);
    weight(f, name, 16, 16, 3);
    Onnx__NodeProto *n = named(f, name, op(f, "Conv", arena_printf(f->a, "%s %s.w", in, name), y));
    attr_ints(f, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
    return n;
}

static inline void image(file *f, const char *name)
{
    input(f, name, DIMS(1, 16, 8, 8));
}

/* images -> Conv "a" -> Relu -> "r" -> Conv "b" -> output; everything as TensorRT likes it. */
static inline void start_pair(file *f)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    named(f, "relu", op(f, "Relu", "y", "r"));
    conv(f, "r", "b", 0.2f, "output");
    output(f, "output");
}

/* ---- changing ---- */

static inline Onnx__TensorProto *init_of(file *f, const char *name)
{
    for (size_t i = 0; i < f->graph.n_initializer; i++)
        if (strcmp(f->initializers[i]->name, name) == 0)
            return f->initializers[i];
    fail_msg("no initializer '%s'", name);
    return NULL;
}

static inline Onnx__NodeProto *node_of(file *f, const char *name)
{
    for (size_t i = 0; i < f->graph.n_node; i++)
        if (strcmp(f->nodes[i]->name, name) == 0)
            return f->nodes[i];
    fail_msg("no node '%s'", name);
    return NULL;
}

static inline void set_float(file *f, const char *name, float value)
{
    memcpy(init_of(f, name)->raw_data.data, &value, sizeof value);
}

static inline void set_byte(file *f, const char *name, int value)
{
    init_of(f, name)->raw_data.data[0] = (uint8_t)value;
}

/* Another type for constants of one byte each. */
static inline void set_type(file *f, const char *name, int type)
{
    init_of(f, name)->data_type = type;
}

/* A scalar float32 constant becomes float16. */
static inline void set_half(file *f, const char *name, float value)
{
    Onnx__TensorProto *t = init_of(f, name);
    uint16_t half = half_from_float(value);
    t->data_type = FLOAT16;
    raw(f, t, &half, sizeof half);
}

static inline void set_input(file *f, const char *reader, size_t i, const char *name)
{
    node_of(f, reader)->input[i] = arena_strdup(f->a, name);
}

/* ---- judging ---- */

static inline const lint_finding *find(const lint_report *r, lint_rule rule, const char *where)
{
    for (size_t i = 0; i < r->n_findings; i++)
        if (r->findings[i].rule == rule && (!where || strcmp(r->findings[i].node, where) == 0))
            return &r->findings[i];
    return NULL;
}

static inline const lint_forecast *forecast_of(const lint_report *r, const char *layer)
{
    for (size_t i = 0; i < r->n_forecast; i++)
        if (strcmp(r->forecast[i].node, layer) == 0)
            return &r->forecast[i];
    fail_msg("no forecast of '%s'", layer);
    return NULL;
}

/* Writes the file, judges it, removes it. */
static inline lint_report judge(file *f, lint_target target)
{
    lint_report r;
    lint_options o = {.target = target};
    save(f);
    assert_ok(lint_file(f->path, &o, NULL, &r, &err));
    finish(f);
    return r;
}

#endif
