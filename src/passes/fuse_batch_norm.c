/* SPDX-License-Identifier: Apache-2.0 */
/* Conv -> BatchNormalization becomes one convolution, in the float order of the official
 * fuse_conv_and_bn (spec model.md §4): W' = W*s, b' = s*b + (beta - (gamma*mean)/sqrt(var+eps)). */
#include "base/mem.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* Folds `bn` into `c`; leaves both as they are when the parameters are not constants. */
static ptq_status fold(graph *g, const conv_parts *c, node_id conv, node_id bn, ptq_error *err)
{
    float *scale = mem_array(2 * c->n_out, sizeof *scale);
    if (!scale)
        return error_no_memory(err, 2 * c->n_out * sizeof *scale, "a folded BatchNormalization");
    blob *weight = NULL;
    ptq_status status = PTQ_OK;
    float *shift = scale + c->n_out;
    const node *norm = graph_node_const(g, bn);
    if (!batch_norm_affine(g, norm, c->n_out, scale, shift))
        goto done;
    status = conv_scale_weights(g, c, scale, &weight, err);
    if (status != PTQ_OK)
        goto done;
    for (size_t o = 0; c->bias && o < c->n_out; o++)
        shift[o] = scale[o] * c->bias[o] + shift[o];
    conv_change change = {weight, shift, TENSOR_NONE, norm->outputs[0]};
    graph_remove_node(g, bn);
    status = conv_rewrite(g, conv, &change, err);
done:
    blob_unref(&weight);
    mem_free(scale);
    return status;
}

ptq_status pass_fuse_batch_norm(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        const node *bn = graph_node_const(g, (node_id)i);
        if (bn->is_dead || bn->op != GRAPH_OP_BATCH_NORM)
            continue;
        tensor_id x = bn->inputs[0];
        node_id conv = graph_producer(g, x);
        conv_parts c;
        if (sole_consumer(g, x) == (node_id)i && conv_read(g, conv, &c))
            PTQ_TRY(fold(g, &c, conv, (node_id)i, err));
    }
    return graph_tidy(g, err);
}
