/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/flow.h"

bool demand_is_pure(const demand *d)
{
    return d->first && !d->other && !d->in_float;
}

static void want_codes(demand *d, const quantizer *q, const net_node *way)
{
    if (!d->first) {
        d->first = q;
        d->first_way = way;
    } else if (!d->other && !quantizer_same(d->first, q)) {
        d->other = q;
        d->other_way = way;
    }
}

static void want_float(demand *d, const net_node *reader)
{
    if (!d->in_float)
        d->float_reader = reader;
    d->in_float = true;
}

/* What all results of a node that moves data are wanted as, taken together. */
static demand joint_demand(const demand *all, const net_node *node)
{
    demand joint = {0};
    for (uint32_t k = 0; k < node->n_outputs; k++) {
        const demand *d = node->outputs[k] == NET_NONE ? NULL : &all[node->outputs[k]];
        if (!d || (!d->first && !d->in_float))
            continue;
        if (d->first)
            want_codes(&joint, d->first, node);
        if (d->other)
            want_codes(&joint, d->other, node);
        if (d->in_float)
            want_float(&joint, d->float_reader);
    }
    return joint;
}

static void add_reader(const lint *l, demand *all, const net_node *node)
{
    if (net_is_kind(node, NET_Q)) {
        if (net_input(node, 0) != NET_NONE)
            want_codes(&all[node->inputs[0]], quantizer_at(l, node), node);
        return;
    }
    if (net_is_kind(node, NET_DQ))
        return;
    bool moves = net_is_kind(node, NET_MOVES);
    demand joint = moves ? joint_demand(all, node) : (demand){0};
    uint32_t n_data = moves && node->kind & NET_DATA_ONLY ? 1 : node->n_inputs;
    for (uint32_t i = 0; i < n_data && i < node->n_inputs; i++) {
        if (node->inputs[i] == NET_NONE)
            continue;
        if (moves && demand_is_pure(&joint))
            want_codes(&all[node->inputs[i]], joint.first, node);
        else if (!moves || joint.in_float || joint.first)
            want_float(&all[node->inputs[i]], node);
    }
}

void flow_find(const lint *l, demand *all)
{
    const net *n = l->net;
    for (uint32_t i = 0; i < n->n_graph_outputs; i++)
        want_float(&all[n->graph_outputs[i]], NULL);
    for (uint32_t at = n->n_nodes; at-- > 0;)
        add_reader(l, all, &n->nodes[n->order[at]]);
}
