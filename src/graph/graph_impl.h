/* SPDX-License-Identifier: Apache-2.0 */
/* graph/graph_impl.h — inside graph/: the structure behind the opaque graph. */
#ifndef GRAPH_GRAPH_IMPL_H
#define GRAPH_GRAPH_IMPL_H

#include "base/arena.h"
#include "base/strmap.h"
#include "graph/detector_form.h"
#include "graph/graph.h"

struct graph {
    arena *arena; /* names, input and output lists of nodes */
    node *nodes;
    int n_nodes, cap_nodes;
    tensor *tensors;
    node_id *producers; /* per tensor */
    int n_tensors, cap_tensors;
    tensor_id *inputs;
    int n_inputs, cap_inputs;
    tensor_id *outputs;
    int n_outputs, cap_outputs;
    strmap *tensor_names;
    strmap *node_names;
    detector_form detector;
};

/* The first value of a constant i64, i32 or f32 tensor; false when it is none. */
bool const_number(const graph *g, tensor_id id, double *value);
/* Reads a constant integer tensor (i64 or i32, at most 8 values); false when it is none. */
bool const_ints(const graph *g, tensor_id id, int64_t values[SHAPE_MAX_RANK], int *n);

#endif
