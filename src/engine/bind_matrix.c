/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices and of more axes, Softmax, Gather, Range. */
#include "engine/build.h"

static ptq_status input_as_it_is(builder *b, tensor_id id, value_id *out)
{
    return build_input(b, id, LAYOUT_ANY, graph_tensor_const(b->g, id)->type, out);
}

static view transposed(const view *v)
{
    view t = *v;
    t.dim[0] = v->dim[1], t.dim[1] = v->dim[0];
    t.stride[0] = v->stride[1], t.stride[1] = v->stride[0];
    return t;
}

/* A vector as a matrix of one row (axis 0) or one column (axis 1). */
static view as_matrix(const view *v, int axis)
{
    view m = *v;
    if (v->rank != 1)
        return m;
    m.rank = 2;
    m.dim[axis] = 1, m.dim[1 - axis] = v->dim[0];
    m.stride[axis] = 0, m.stride[1 - axis] = v->stride[0];
    return m;
}

/* The output of a product with vectors, with the axes of 1 that they left out. */
static view product_view(const view *y, bool a_is_vector, bool b_is_vector)
{
    view v = *y;
    if (b_is_vector) {
        v.dim[v.rank] = 1;
        v.stride[v.rank++] = 0;
    }
    if (a_is_vector) { /* before the columns */
        v.dim[v.rank] = v.dim[v.rank - 1];
        v.stride[v.rank] = v.stride[v.rank - 1];
        v.dim[v.rank - 1] = 1;
        v.stride[v.rank - 1] = 0;
        v.rank++;
    }
    return v;
}

/* Repeats the leading axes of a matrix to those of the product. */
static ptq_status spread(builder *b, view *m, const view *y)
{
    view target = *y;
    for (int i = 0; i < 2; i++)
        target.dim[y->rank - 2 + i] = m->dim[m->rank - 2 + i];
    if (!view_broadcast(m, target.rank, target.dim, m))
        return error_set(b->err, PTQ_SHAPE, "the matrices of node '%s' do not broadcast",
                         b->node->name);
    return PTQ_OK;
}

ptq_status bind_matmul(builder *b, const node *n)
{
    value_id operands[4];
    view views[4];
    for (int i = 0; i < 2; i++) {
        PTQ_TRY(input_as_it_is(b, n->inputs[i], &operands[i]));
        views[i] = as_matrix(build_view(b, operands[i]), i);
    }
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    views[3] = product_view(build_view(b, operands[3]), build_view(b, operands[0])->rank == 1,
                            build_view(b, operands[1])->rank == 1);
    for (int i = 0; i < 2; i++)
        PTQ_TRY(spread(b, &views[i], &views[3]));
    operands[2] = VALUE_NONE;
    views[2] = (view){.type = DTYPE_F32, .rank = views[3].rank};
    kernel_param param = {.matmul = {.alpha = 1}};
    return build_kernel(b, &(kernel_request){KERNEL_MATMUL, param, operands, views, 4});
}

ptq_status bind_gemm(builder *b, const node *n)
{
    const gemm_attr *a = &n->attr.gemm;
    value_id operands[4] = {0, 0, VALUE_NONE, 0};
    view views[4];
    for (int i = 0; i < 2; i++) {
        PTQ_TRY(input_as_it_is(b, n->inputs[i], &operands[i]));
        views[i] = *build_view(b, operands[i]);
        if (i ? a->trans_b : a->trans_a)
            views[i] = transposed(&views[i]);
    }
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    views[3] = *build_view(b, operands[3]);
    views[2] = (view){.type = DTYPE_F32, .rank = 2};
    if (bind_has_input(n, 2)) {
        PTQ_TRY(input_as_it_is(b, n->inputs[2], &operands[2]));
        if (!view_broadcast(build_view(b, operands[2]), 2, views[3].dim, &views[2]))
            return error_set(b->err, PTQ_SHAPE, "the bias of node '%s' does not broadcast",
                             n->name);
    }
    kernel_param param = {.matmul = {a->alpha, a->beta}};
    return build_kernel(b, &(kernel_request){KERNEL_MATMUL, param, operands, views, 4});
}

ptq_status bind_softmax(builder *b, const node *n)
{
    value_id operands[2];
    PTQ_TRY(input_as_it_is(b, n->inputs[0], &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    int axis = bind_axis(n->attr.axis.axis, build_view(b, operands[0])->rank);
    kernel_param param = {.axis = axis};
    return build_kernel(b, &(kernel_request){KERNEL_SOFTMAX, param, operands, NULL, 2});
}

ptq_status bind_gather(builder *b, const node *n)
{
    value_id operands[3];
    for (int i = 0; i < 2; i++)
        PTQ_TRY(input_as_it_is(b, n->inputs[i], &operands[i]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    int axis = bind_axis(n->attr.axis.axis, build_view(b, operands[0])->rank);
    kernel_param param = {.axis = axis};
    kernel_family family = n->op == GRAPH_OP_GATHER ? KERNEL_GATHER : KERNEL_GATHER_ELEMENTS;
    return build_kernel(b, &(kernel_request){family, param, operands, NULL, 3});
}

ptq_status bind_range(builder *b, const node *n)
{
    value_id operands[3];
    PTQ_TRY(input_as_it_is(b, n->inputs[0], &operands[0]));
    PTQ_TRY(input_as_it_is(b, n->inputs[2], &operands[1]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    return build_kernel(b, &(kernel_request){KERNEL_RANGE, {.axis = 0}, operands, NULL, 3});
}

/* An input along all labels: its axes with the same one add up, an axis of 1 stays where it is. */
static view along_labels(const view *x, const einsum_plan *p, const int *label)
{
    view v = {.type = x->type, .rank = p->n_labels};
    for (int i = 0; i < p->n_labels; i++)
        v.dim[i] = p->length[i];
    for (int i = 0; i < x->rank; i++)
        v.stride[label[i]] += x->dim[i] == 1 ? 0 : x->stride[i];
    return v;
}

ptq_status bind_einsum(builder *b, const node *n)
{
    value_id operands[3];
    view views[3];
    einsum_plan p;
    int n_in = n->n_inputs, in_order[SHAPE_MAX_RANK];
    if (!node_einsum(b->g, n, &p))
        return error_set(b->err, PTQ_SHAPE, "the equation of node '%s' does not fit", n->name);
    for (int i = 0; i < n_in; i++) {
        PTQ_TRY(input_as_it_is(b, n->inputs[i], &operands[i]));
        views[i] = along_labels(build_view(b, operands[i]), &p, p.label[i]);
    }
    PTQ_TRY(build_output(b, n->outputs[0], &operands[n_in]));
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        in_order[i] = i;
    views[n_in] = along_labels(build_view(b, operands[n_in]), &p, in_order);
    kernel_param param = {.axis = p.n_kept};
    return build_kernel(b, &(kernel_request){KERNEL_SUM_PRODUCT, param, operands, views, n_in + 1});
}
