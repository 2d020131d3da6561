/* SPDX-License-Identifier: Apache-2.0 */
/* One sweep in execution order: a node finds its inputs folded and their shapes known as far as
 * they can be. Quantizers of constants stay: they are what a quantized file is about. */
#include "passes/const_eval.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* What folding may allocate in one graph: far more than shape arithmetic and anchor grids need,
 * far less than a file could ask for. */
#define FOLD_BUDGET ((size_t)256 << 20)

static bool inputs_constant(const graph *g, const node *n)
{
    for (int i = 0; i < n->n_inputs; i++)
        if (!graph_is_const(g, n->inputs[i]))
            return false;
    return true;
}

static bool inputs_fixed(const graph *g)
{
    for (int i = 0; i < graph_n_inputs(g); i++)
        if (graph_tensor_const(g, graph_input(g, i))->is_dynamic)
            return false;
    return true;
}

/* The output becomes a constant: type and shape are inferred already. Takes the reference. */
static void make_constant(graph *g, tensor_id id, blob *value)
{
    tensor *t = graph_tensor(g, id);
    t->data = value;
    t->is_dynamic = false;
}

/* The shape of a tensor is a constant when it cannot change with the graph's input. */
static ptq_status fold_shape(graph *g, node_id id, bool *folded, ptq_error *err)
{
    const node *n = graph_node_const(g, id);
    const shape s = graph_tensor_const(g, n->inputs[0])->shape;
    tensor_id out = n->outputs[0];
    int begin, end;
    size_t count = 0;
    node_shape_span(n, s.rank, &begin, &end);
    if (n->op == GRAPH_OP_SIZE && !shape_count(&s, &count))
        return PTQ_OK;
    int64_t size = (int64_t)count;
    blob *value = n->op == GRAPH_OP_SIZE
                      ? blob_copy_of(&size, sizeof size)
                      : blob_copy_of(s.dim + begin, (size_t)(end - begin) * sizeof *s.dim);
    if (!value)
        return error_no_memory(err, sizeof s.dim, "a shape");
    make_constant(g, out, value);
    *folded = true;
    return PTQ_OK;
}

static ptq_status fold_value(graph *g, node_id id, size_t *budget, bool *folded, ptq_error *err)
{
    blob *values[CONST_EVAL_MAX_OUTPUTS];
    PTQ_TRY(const_eval(g, id, budget, values, folded, err));
    const node *n = graph_node_const(g, id);
    for (int i = 0; i < n->n_outputs && *folded; i++)
        make_constant(g, n->outputs[i], values[i]);
    return PTQ_OK;
}

static ptq_status fold_node(graph *g, node_id id, bool is_fixed, size_t *budget, ptq_error *err)
{
    PTQ_TRY(node_absorb_constants(g, id, err));
    if (!node_inputs_known(g, id))
        return PTQ_OK;
    ptq_status status = node_infer(g, id, err);
    if (status == PTQ_UNSUPPORTED) /* it needs a value that is computed when the graph runs */
        return PTQ_OK;
    PTQ_TRY(status);
    const node *n = graph_node_const(g, id);
    bool folded = false, all_constant = inputs_constant(g, n);
    bool asks_shape = n->op == GRAPH_OP_SHAPE || n->op == GRAPH_OP_SIZE;
    if (asks_shape && (is_fixed || all_constant))
        PTQ_TRY(fold_shape(g, id, &folded, err));
    else if (all_constant)
        PTQ_TRY(fold_value(g, id, budget, &folded, err));
    if (folded)
        graph_remove_node(g, id);
    return PTQ_OK;
}

ptq_status pass_fold_constants(graph *g, ptq_error *err)
{
    size_t budget = FOLD_BUDGET;
    PTQ_TRY(graph_tidy(g, err));
    bool is_fixed = inputs_fixed(g);
    for (int i = 0; i < graph_n_nodes(g); i++)
        PTQ_TRY(fold_node(g, (node_id)i, is_fixed, &budget, err));
    return graph_prune(g, err);
}

ptq_status pass_fix_input_shape(graph *g, const shape *s, ptq_error *err)
{
    char have[128], want[128];
    if (graph_n_inputs(g) < 1)
        return error_set(err, PTQ_FORMAT, "the graph has no input");
    tensor *t = graph_tensor(g, graph_input(g, 0));
    bool fits = t->shape.rank == s->rank && shape_known(s);
    for (int i = 0; fits && i < s->rank; i++)
        fits = t->is_dynamic || t->shape.dim[i] == s->dim[i];
    if (!fits)
        return error_set(err, PTQ_SHAPE, "input '%s' has the shape %s, not %s", t->name,
                         shape_text(&t->shape, have), shape_text(s, want));
    t->shape = *s;
    t->is_dynamic = false;
    return pass_fold_constants(g, err);
}
