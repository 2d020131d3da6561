/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/share.h"

#include "base/mem.h"

typedef struct share_sets {
    const graph *g;
    const quant_config *config;
    const quant_options *options;
    quant_points *points;
    int *parent;   /* per tensor: union-find */
    bool *carries; /* per tensor: has a quantizer */
    int *number;   /* per tensor that is a root: its group, -1 for none yet */
} share_sets;

static int find_root(const share_sets *s, int i)
{
    while (s->parent[i] != i) {
        s->parent[i] = s->parent[s->parent[i]];
        i = s->parent[i];
    }
    return i;
}

static void unite(share_sets *s, tensor_id a, tensor_id b)
{
    if (a == TENSOR_NONE || b == TENSOR_NONE || !s->carries[a] || !s->carries[b])
        return;
    int root_a = find_root(s, (int)a);
    int root_b = find_root(s, (int)b);
    if (root_a < root_b)
        s->parent[root_b] = root_a;
    else
        s->parent[root_a] = root_b;
}

/* What the file says about a kind of node, else what the options say. */
static bool is_on(int from_file, const quant_options *options)
{
    return from_file < 0 ? options->share_scales : from_file != 0;
}

/* Whether codes pass this node unchanged, so that one scale on both sides makes sense. */
static bool moves_codes(const share_sets *s, const node *n)
{
    switch (n->op) {
    case GRAPH_OP_CONCAT:
        return is_on(s->config->share_concat, s->options);
    case GRAPH_OP_MAX_POOL:
        return is_on(s->config->share_maxpool, s->options);
    case GRAPH_OP_RESIZE:
        return n->attr.resize.mode == RESIZE_NEAREST && is_on(s->config->share_resize, s->options);
    case GRAPH_OP_SLICE:
    case GRAPH_OP_SPLIT:
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_FLATTEN:
    case GRAPH_OP_TRANSPOSE:
    case GRAPH_OP_SPACE_TO_DEPTH:
    case GRAPH_OP_IDENTITY:
        return s->options->share_scales;
    default:
        return false;
    }
}

/* The two inputs of an Add belong together when both have a quantizer on the Add itself. */
static bool is_shared_add(const share_sets *s, node_id id)
{
    if (graph_node_const(s->g, id)->op != GRAPH_OP_ADD || !is_on(s->config->share_add, s->options))
        return false;
    int n = 0;
    for (int i = 0; i < s->points->n; i++)
        n += s->points->items[i].node == id && s->points->items[i].group >= 0;
    return n == 2;
}

static void unite_node(share_sets *s, node_id id)
{
    const node *n = graph_node_const(s->g, id);
    if (n->is_dead)
        return;
    if (is_shared_add(s, id))
        unite(s, n->inputs[0], n->inputs[1]);
    if (!moves_codes(s, n))
        return;
    int n_inputs = n->op == GRAPH_OP_CONCAT ? n->n_inputs : 1;
    for (int i = 0; i < n_inputs; i++)
        for (int o = 0; o < n->n_outputs; o++)
            unite(s, n->inputs[i], n->outputs[o]);
}

static void group_alone(quant_points *points)
{
    points->n_groups = 0;
    for (int i = 0; i < points->n; i++) {
        quant_point *p = &points->items[i];
        bool is_quantized = p->kept == QUANT_NOT_KEPT && p->input_desc.enabled;
        p->group = is_quantized ? points->n_groups++ : -1;
    }
}

static void number_groups(share_sets *s)
{
    quant_points *points = s->points;
    points->n_groups = 0;
    for (int i = 0; i < points->n; i++) {
        quant_point *p = &points->items[i];
        if (p->group < 0)
            continue;
        int root = find_root(s, (int)p->tensor);
        if (s->number[root] < 0)
            s->number[root] = points->n_groups++;
        p->group = s->number[root];
    }
}

static bool is_any_on(const quant_config *c, const quant_options *options)
{
    return options->share_scales || c->share_concat == 1 || c->share_maxpool == 1 ||
           c->share_resize == 1 || c->share_add == 1;
}

ptq_status share_groups(const graph *g, const quant_config *config, const quant_options *options,
                        quant_points *points, ptq_error *err)
{
    group_alone(points);
    if (!is_any_on(config, options))
        return PTQ_OK;
    size_t n = (size_t)graph_n_tensors(g);
    share_sets s = {.g = g, .config = config, .options = options, .points = points};
    s.parent = mem_array(n, sizeof *s.parent);
    s.carries = mem_array(n, sizeof *s.carries);
    s.number = mem_array(n, sizeof *s.number);
    ptq_status st = PTQ_OK;
    if (!s.parent || !s.carries || !s.number) {
        st = error_no_memory(err, n * sizeof *s.parent, "shared scales");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        s.parent[i] = (int)i;
        s.number[i] = -1;
    }
    for (int i = 0; i < points->n; i++)
        if (points->items[i].group >= 0)
            s.carries[points->items[i].tensor] = true;
    for (int i = 0; i < graph_n_nodes(g); i++)
        unite_node(&s, (node_id)i);
    number_groups(&s);
done:
    mem_free(s.parent);
    mem_free(s.carries);
    mem_free(s.number);
    return st;
}
