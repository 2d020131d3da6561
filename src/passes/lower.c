/* SPDX-License-Identifier: Apache-2.0 */
/* What each precision does to a graph; the steps are in lower_*.c. */
#include "passes/lower.h"

#include "base/mem.h"
#include "graph/fusion.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool has_op(const graph *g, graph_op op)
{
    for (int i = 0; i < graph_n_nodes(g); i++)
        if (graph_node_const(g, (node_id)i)->op == op)
            return true;
    return false;
}

typedef ptq_status lower_step(lowering *l, ptq_error *err);

static ptq_status unless_left_out(lowering *l, fusion what, lower_step *step, ptq_error *err)
{
    return l->without & what ? PTQ_OK : step(l, err);
}

static ptq_status lower_float(lowering *l, ptq_error *err)
{
    PTQ_TRY(lower_constants(l, false, err));
    return unless_left_out(l, FUSION_ACTIVATION, lower_activations, err);
}

/* Every convolution computes in `type`; not those of dequantized codes when `spare_quantized`. */
static void set_compute(graph *g, compute_type type, bool spare_quantized)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        node *n = graph_node(g, (node_id)i);
        if (n->op != GRAPH_OP_CONV)
            continue;
        node_id dq = producer_if(g, n->inputs[0], GRAPH_OP_DEQUANTIZE_LINEAR);
        if (dq == NODE_NONE || !spare_quantized)
            n->attr.conv.compute = type;
    }
}

static ptq_status lower_fp16(lowering *l, ptq_error *err)
{
    PTQ_TRY(lower_float(l, err));
    set_compute(l->g, COMPUTE_F16_SIM, false);
    return PTQ_OK;
}

static ptq_status lower_bf16(lowering *l, ptq_error *err)
{
    PTQ_TRY(lower_float(l, err));
    set_compute(l->g, COMPUTE_BF16, false);
    return lower_bf16_tensors(l, err);
}

/* Whether the file is a float16 one: its float layers have eleven bits, and bf16 has eight. */
static bool is_float16(const graph *g)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (n->op == GRAPH_OP_QUANTIZE_LINEAR && n->attr.axis.from_half)
            return true;
    }
    return false;
}

/* A quantized convolution that is no QCONV (weights with a zero point that int8 cannot absorb) is
 * simulated in f32: bf16 would round its codes. */
static ptq_status lower_int8(lowering *l, bool has_bf16, ptq_error *err)
{
    bool wants_bf16 = has_bf16 && has_op(l->g, GRAPH_OP_DEQUANTIZE_LINEAR) && !is_float16(l->g);
    PTQ_TRY(lower_constants(l, true, err));
    PTQ_TRY(unless_left_out(l, FUSION_ACTIVATION, lower_activations, err));
    PTQ_TRY(unless_left_out(l, FUSION_MOVEMENT, lower_movement, err));
    PTQ_TRY(lower_integer_convs(l, err));
    PTQ_TRY(unless_left_out(l, FUSION_REQUANTIZE, lower_integer_outputs, err));
    PTQ_TRY(lower_constants(l, false, err));
    if (!wants_bf16)
        return PTQ_OK;
    set_compute(l->g, COMPUTE_BF16, true);
    return lower_bf16_tensors(l, err);
}

static ptq_status lower_to(lowering *l, const lower_options *o, ptq_error *err)
{
    switch (o->precision) {
    case PRECISION_FP16:
        return lower_fp16(l, err);
    case PRECISION_BF16:
        return lower_bf16(l, err);
    case PRECISION_INT8:
        return lower_int8(l, o->has_bf16, err);
    default:
        return lower_float(l, err);
    }
}

static ptq_status keep_tensors(graph *g, const char *const *names, ptq_error *err)
{
    for (int i = 0; names && names[i]; i++) {
        tensor_id id = graph_find_tensor(g, names[i]);
        if (id != TENSOR_NONE && graph_producer(g, id) != NODE_NONE && !graph_is_output(g, id))
            PTQ_TRY(graph_add_output(g, id, err));
    }
    return PTQ_OK;
}

/* Cuts the list of outputs back to the first `n`. */
static ptq_status restore_outputs(graph *g, int n, ptq_error *err)
{
    tensor_id *own = mem_array((size_t)n, sizeof *own);
    if (!own)
        return error_no_memory(err, (size_t)n * sizeof *own, "a list of outputs");
    for (int i = 0; i < n; i++)
        own[i] = graph_output(g, i);
    graph_clear_outputs(g);
    ptq_status status = PTQ_OK;
    for (int i = 0; i < n && status == PTQ_OK; i++)
        status = graph_add_output(g, own[i], err);
    mem_free(own);
    return status;
}

ptq_status pass_lower(graph *g, const lower_options *options, ptq_error *err)
{
    lowering l = {.g = g, .n_outputs = graph_n_outputs(g), .without = options->without};
    PTQ_TRY(keep_tensors(g, options->keep, err));
    PTQ_TRY(graph_prune(g, err));
    PTQ_TRY(pass_drop_padded_channels(g, err));
    PTQ_TRY(lower_to(&l, options, err));
    PTQ_TRY(graph_prune(g, err));
    return restore_outputs(g, l.n_outputs, err);
}
