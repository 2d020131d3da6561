/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose indices name elements one by one. */
#include "base/mem.h"
#include "engine/build.h"

static ptq_status stored(builder *b, tensor_id id, value_id *out)
{
    return build_input(b, id, LAYOUT_ANY, graph_tensor_const(b->g, id)->type, out);
}

ptq_status bind_gather_nd(builder *b, const node *n)
{
    value_id operands[3];
    for (int i = 0; i < 2; i++)
        PTQ_TRY(stored(b, n->inputs[i], &operands[i]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    kernel_param param = {.axis = n->attr.axis.axis};
    return build_kernel(b, &(kernel_request){KERNEL_GATHER_ND, param, operands, NULL, 3});
}

ptq_status bind_scatter(builder *b, const node *n)
{
    static const scatter_how hows[] = {
        [SCATTER_SET] = SCATTER_HOW_SET, [SCATTER_ADD] = SCATTER_HOW_ADD,
        [SCATTER_MUL] = SCATTER_HOW_MUL, [SCATTER_MAX] = SCATTER_HOW_MAX,
        [SCATTER_MIN] = SCATTER_HOW_MIN,
    };
    value_id operands[4];
    for (int i = 0; i < 3; i++)
        PTQ_TRY(stored(b, n->inputs[i], &operands[i]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    int rank = build_view(b, operands[0])->rank;
    kernel_family family =
        n->op == GRAPH_OP_SCATTER_ND ? KERNEL_SCATTER_ND : KERNEL_SCATTER_ELEMENTS;
    kernel_param param = {.scatter = {.axis = bind_axis(n->attr.scatter.axis, rank),
                                      .how = hows[n->attr.scatter.kind]}};
    return build_kernel(b, &(kernel_request){family, param, operands, NULL, 4});
}

/* The depth is in the output's shape already. */
ptq_status bind_one_hot(builder *b, const node *n)
{
    value_id operands[3];
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    PTQ_TRY(stored(b, n->inputs[2], &operands[1]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    int rank = build_view(b, operands[2])->rank;
    kernel_param param = {.axis = bind_axis(n->attr.axis.axis, rank)};
    return build_kernel(b, &(kernel_request){KERNEL_ONE_HOT, param, operands, NULL, 3});
}

ptq_status bind_suppression(builder *b, const node *n)
{
    int64_t *rows, n_rows;
    PTQ_TRY(node_suppress(b->g, n, &rows, &n_rows, b->err));
    view v = build_dense_view(b, n->outputs[0]);
    ptq_status status = build_constant(b, &v, rows, &b->slots[n->outputs[0]].first);
    mem_free(rows);
    return status;
}
