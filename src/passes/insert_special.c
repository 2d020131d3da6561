/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/insert.h"

#include <math.h>

#include "base/mem.h"
#include "passes/rewrite.h"

bool insert_is_special(const place *p, bool is_weight)
{
    const quantizer *z = p->quantizer;
    bool is_partial_per_slice = z->axis >= 0 && z->n_amax > 1 && !codes_fill_type(z);
    return z->only_clips || z->several_axes || (is_partial_per_slice && !is_weight);
}

/* ---------------------------------------------------------------- weights */

static float simulated(const quantizer *z, float x, size_t slice, const float *scale)
{
    code_range range = codes_range(z);
    if (z->only_clips)
        return fminf(fmaxf(x, -z->amax[slice]), z->amax[slice]);
    float code = rintf(x / scale[slice]);
    code = fminf(fmaxf(code, (float)range.low), (float)range.high);
    return code * scale[slice];
}

ptq_status insert_special_weight(const place *p, ptq_error *err)
{
    const tensor *t = graph_tensor_const(p->g, place_tensor(p));
    size_t n = const_count(p->g, place_tensor(p));
    const float *from = const_floats(p->g, place_tensor(p), n);
    uint32_t axes = quantizer_axes(p->quantizer);
    float *scale = NULL;
    blob *data = from ? blob_create(n * sizeof *from) : NULL;
    if (!data)
        return error_no_memory(err, n * sizeof *from, t->name);
    ptq_status status = codes_scales(p->quantizer, &scale, err);
    float *to = blob_data(data);
    for (size_t i = 0; i < n && status == PTQ_OK; i++)
        to[i] = simulated(p->quantizer, from[i], slices_index(&t->shape, axes, i), scale);
    tensor_id made = TENSOR_NONE;
    if (status == PTQ_OK)
        status = const_replace(p->g, place_tensor(p), DTYPE_F32, data, &made, err);
    if (status == PTQ_OK)
        place_set_input(p, made);
    blob_unref(&data);
    mem_free(scale);
    return status;
}

/* ---------------------------------------------------------------- inputs */

/* A node to add: its name is "<place>" + suffix; `other` is its second input, or TENSOR_NONE. */
typedef struct step {
    graph_op op;
    const char *suffix;
    tensor_id other;
    op_attr attr;
} step;

/* Puts the step behind *x. */
static ptq_status add_step(const place *p, const step *s, tensor_id *x, ptq_error *err)
{
    const char *name = place_name(p, s->suffix);
    const char *output =
        name_with_suffix(p->g, graph_tensor_const(p->g, place_tensor(p))->name, s->suffix);
    if (!name || !output)
        return error_no_memory(err, 0, "a name");
    tensor_id inputs[2] = {*x, s->other};
    int n = s->other == TENSOR_NONE ? 1 : 2;
    return graph_add_op(p->g, s->op, name, n, inputs, &s->attr, output, x, err);
}

static ptq_status add_clip(const place *p, float low, float high, tensor_id *x, ptq_error *err)
{
    step s = {.op = GRAPH_OP_CLIP, .suffix = "_clip", .other = TENSOR_NONE};
    s.attr.clip.min = low;
    s.attr.clip.max = high;
    s.attr.clip.of_quantizer = true;
    return add_step(p, &s, x, err);
}

/* The scales in the tensor's rank, 1 where all slices of an axis have one. */
static ptq_status add_scales(const place *p, tensor_id *out, ptq_error *err)
{
    const quantizer *z = p->quantizer;
    shape s = graph_tensor_const(p->g, place_tensor(p))->shape;
    for (int i = 0; i < s.rank; i++)
        if (!(quantizer_axes(z) >> i & 1))
            s.dim[i] = 1;
    size_t n;
    if (!shape_count(&s, &n) || n != (size_t)z->n_amax)
        return error_set(err, PTQ_SHAPE,
                         "the %s quantizer of '%s' has ranges along an axis whose length is not "
                         "known; fix the input size",
                         p->role, place_owner(p));
    float *scale;
    const char *name = place_name(p, "_scales");
    if (!name)
        return error_no_memory(err, 0, "a name");
    PTQ_TRY(codes_scales(z, &scale, err));
    ptq_status status = graph_add_const_copy(p->g, name, DTYPE_F32, &s, scale, out, err);
    mem_free(scale);
    return status;
}

/* Q and DQ with scale 1: rounds to integers and saturates. */
static ptq_status add_rounding(const place *p, tensor_id *x, ptq_error *err)
{
    const char *one_name = place_name(p, "_one"), *zero_name = place_name(p, "_zero");
    if (!one_name || !zero_name)
        return error_no_memory(err, 0, "a name");
    static const float one = 1;
    static const int16_t zero = 0;
    shape scalar = {.rank = 0};
    qnode q = {.n_scales = 1, .axis = -1, .code_type = codes_type(p->quantizer)};
    PTQ_TRY(graph_add_const_copy(p->g, one_name, DTYPE_F32, &scalar, &one, &q.scale_id, err));
    PTQ_TRY(graph_add_const_copy(p->g, zero_name, q.code_type, &scalar, &zero, &q.zero_id, err));
    q.scale = blob_data(graph_tensor_const(p->g, q.scale_id)->data);
    const char *base = graph_tensor_const(p->g, place_tensor(p))->name;
    const char *q_name = place_name(p, "_quantize");
    if (!q_name)
        return error_no_memory(err, 0, "a name");
    qnode_desc desc = {GRAPH_OP_QUANTIZE_LINEAR, *x, &q, q_name, base, "_q"};
    PTQ_TRY(qnode_add(p->g, &desc, x, err));
    desc =
        (qnode_desc){GRAPH_OP_DEQUANTIZE_LINEAR, *x, &q, place_name(p, "_dequantize"), base, "_dq"};
    return desc.name ? qnode_add(p->g, &desc, x, err) : error_no_memory(err, 0, "a name");
}

ptq_status insert_special_input(const place *p, ptq_error *err)
{
    const quantizer *z = p->quantizer;
    tensor_id x = place_tensor(p), scales;
    code_range range = codes_range(z);
    if (z->only_clips) {
        PTQ_TRY(add_clip(p, -z->amax[0], z->amax[0], &x, err));
        place_set_input(p, x);
        return PTQ_OK;
    }
    PTQ_TRY(add_scales(p, &scales, err));
    step down = {.op = GRAPH_OP_DIV, .suffix = "_scaled", .other = scales};
    step up = {.op = GRAPH_OP_MUL, .suffix = "_unscaled", .other = scales};
    PTQ_TRY(add_step(p, &down, &x, err));
    if (!codes_fill_type(z))
        PTQ_TRY(add_clip(p, (float)range.low, (float)range.high, &x, err));
    PTQ_TRY(add_rounding(p, &x, err));
    PTQ_TRY(add_step(p, &up, &x, err));
    place_set_input(p, x);
    return PTQ_OK;
}
