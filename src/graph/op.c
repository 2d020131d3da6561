/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/op.h"

#include <string.h>

#include "graph/op_table.h"

const op_rule *op_rule_of(graph_op op)
{
#define OP_RULE(name, text, min_inputs, max_inputs) {text, min_inputs, max_inputs},
    static const op_rule rules[] = {GRAPH_OP_LIST(OP_RULE)};
#undef OP_RULE
    return &rules[op];
}

const char *graph_op_name(graph_op op)
{
    return op_rule_of(op)->name;
}

bool graph_op_from_name(const char *name, graph_op *op)
{
    for (int i = 0; i < GRAPH_OP_COUNT; i++)
        if (strcmp(name, op_rule_of((graph_op)i)->name) == 0) {
            *op = (graph_op)i;
            return true;
        }
    return false;
}
