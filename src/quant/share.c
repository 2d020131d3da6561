/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/share.h"

#include "base/mem.h"

typedef struct share_sets {
    const graph *g;
    const quant_config *config;
    const quant_options *options;
    quant_points *points;
    int *parent; /* per tensor: union-find */
} share_sets;

static int find_root(const share_sets *s, int i)
{
    while (s->parent[i] != i) {
        s->parent[i] = s->parent[s->parent[i]];
        i = s->parent[i];
    }
    return i;
}

/* A constant is made of codes of any scale: it joins nothing. */
static void unite(share_sets *s, tensor_id a, tensor_id b)
{
    if (a == TENSOR_NONE || b == TENSOR_NONE || graph_is_const(s->g, a) || graph_is_const(s->g, b))
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
    return quant_option(from_file, options->share_scales, options->overrule_share);
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
    case GRAPH_OP_SQUEEZE:
    case GRAPH_OP_UNSQUEEZE:
    case GRAPH_OP_TRANSPOSE:
    case GRAPH_OP_GATHER:
    case GRAPH_OP_SPACE_TO_DEPTH:
    case GRAPH_OP_IDENTITY:
        return is_on(s->config->share_move, s->options);
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

/* Quantizers move back through data movement: whoever wants codes of an output wants them of the
 * inputs too, whether or not these have a quantizer of their own. */
static void unite_node(share_sets *s, node_id id)
{
    const node *n = graph_node_const(s->g, id);
    if (n->is_dead)
        return;
    int n_moved = !moves_codes(s, n) ? 0 : n->op == GRAPH_OP_CONCAT ? n->n_inputs : 1;
    for (int i = 0; i < n_moved; i++)
        for (int k = 0; k < n->n_outputs; k++)
            unite(s, n->inputs[i], n->outputs[k]);
    if (is_shared_add(s, id))
        unite(s, n->inputs[0], n->inputs[1]);
}

/* Quantizers that others may share a scale with. */
static bool can_share(const quant_point *p)
{
    return p->group >= 0 && p->input_axes == 0 && p->input_desc.if_quant && !p->is_decode;
}

static void group_alone(quant_points *points)
{
    points->n_groups = 0;
    for (int i = 0; i < points->n; i++) {
        quant_point *p = &points->items[i];
        p->group = quant_point_has_input(p) ? points->n_groups++ : -1;
    }
}

/* Codes of different formats have different scales for one range. */
static bool is_same_format(const descriptor *a, const descriptor *b)
{
    return a->num_bits == b->num_bits && a->is_unsigned == b->is_unsigned;
}

static void number_groups(share_sets *s)
{
    quant_points *points = s->points;
    points->n_groups = 0;
    for (int i = 0; i < points->n; i++) {
        quant_point *p = &points->items[i];
        if (p->group < 0)
            continue;
        int same = -1;
        for (int k = 0; k < i && same < 0 && can_share(p); k++) {
            const quant_point *q = &points->items[k];
            if (can_share(q) && is_same_format(&p->input_desc, &q->input_desc) &&
                find_root(s, (int)p->tensor) == find_root(s, (int)q->tensor))
                same = q->group;
        }
        p->group = same >= 0 ? same : points->n_groups++;
    }
}

static bool is_any_on(const quant_config *c, const quant_options *options)
{
    return is_on(c->share_concat, options) || is_on(c->share_maxpool, options) ||
           is_on(c->share_resize, options) || is_on(c->share_move, options) ||
           is_on(c->share_add, options);
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
    if (!s.parent)
        return error_no_memory(err, n * sizeof *s.parent, "shared scales");
    for (size_t i = 0; i < n; i++)
        s.parent[i] = (int)i;
    for (int i = 0; i < graph_n_nodes(g); i++)
        unite_node(&s, (node_id)i);
    number_groups(&s);
    mem_free(s.parent);
    return PTQ_OK;
}
