/* SPDX-License-Identifier: Apache-2.0 */
/* graph/op_table.h — inside graph/: how many inputs an operator takes. */
#ifndef GRAPH_OP_TABLE_H
#define GRAPH_OP_TABLE_H

#include "graph/op.h"

typedef struct op_rule {
    const char *name;
    int min_inputs;
    int max_inputs; /* -1: any number */
} op_rule;

const op_rule *op_rule_of(graph_op op);

#endif
