/* SPDX-License-Identifier: Apache-2.0 */
/* graph/graph.h — the network as the rest of the program sees it.
 *
 * A graph owns its nodes, tensors and names; constants are shared blobs, so a copy is cheap.
 * Tensors and nodes are named by index; an index stays valid for the life of the graph, also
 * across passes. A removed node keeps its index and is marked dead until graph_tidy().
 * After graph_tidy() nodes stand in execution order: a node's inputs are graph inputs, constants
 * or outputs of earlier nodes, and every tensor has one producer at most. graph_verify() checks
 * exactly this; every pass leaves it true.
 *
 * Node names: a layer of a .pt is its module path ("model.0.conv"), of an ONNX file the name of its
 * weight without the last part. Weight tensors are named "<layer>.weight" and "<layer>.bias".
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/error.h"
#include "graph/op.h"
#include "graph/tensor.h"

typedef struct graph graph;
typedef uint32_t node_id;
#define NODE_NONE UINT32_MAX

typedef struct node {
    const char *name;
    graph_op op;
    bool is_dead; /* removed; skip it */
    int n_inputs;
    int n_outputs;
    tensor_id *inputs; /* TENSOR_NONE for an absent optional one */
    tensor_id *outputs;
    op_attr attr;
} node;

PTQ_CHECKED ptq_status graph_create(graph **out, ptq_error *err);
PTQ_CHECKED ptq_status graph_copy(const graph *g, graph **out, ptq_error *err);
void graph_destroy(graph *g); /* NULL allowed */

/* Copies a string into the graph. NULL when out of memory. */
const char *graph_intern(graph *g, const char *text);
/* A name no tensor or node has yet: `base`, else base_1, base_2 ... NULL when out of memory. */
const char *graph_unique_name(graph *g, const char *base);

/* A computed value. An empty shape rank -1 in `s` is not allowed: use is_dynamic with -1 dims. */
PTQ_CHECKED ptq_status graph_add_tensor(graph *g, const char *name, dtype type, const shape *s,
                                        tensor_id *out, ptq_error *err);
/* A constant; takes a reference of `data`, whose size must fit type and shape. */
PTQ_CHECKED ptq_status graph_add_const(graph *g, const char *name, dtype type, const shape *s,
                                       blob *data, tensor_id *out, ptq_error *err);
/* The same from plain memory, copied. */
PTQ_CHECKED ptq_status graph_add_const_copy(graph *g, const char *name, dtype type, const shape *s,
                                            const void *values, tensor_id *out, ptq_error *err);

/* Appends a node with existing input and output tensors; `desc` is copied. */
PTQ_CHECKED ptq_status graph_add_node(graph *g, const node *desc, node_id *out, ptq_error *err);
/* Appends a node with one new output tensor named `output_name` (NULL: the node's name); its type
 * and shape are found by inference when the inputs are known, else at graph_infer_shapes(). */
PTQ_CHECKED ptq_status graph_add_op(graph *g, graph_op op, const char *name, int n_inputs,
                                    const tensor_id *inputs, const op_attr *attr,
                                    const char *output_name, tensor_id *output, ptq_error *err);
void graph_remove_node(graph *g, node_id id);

PTQ_CHECKED ptq_status graph_add_input(graph *g, tensor_id id, ptq_error *err);
PTQ_CHECKED ptq_status graph_add_output(graph *g, tensor_id id, ptq_error *err);
void graph_clear_outputs(graph *g);

/* Every node input and graph output that is `from` becomes `to`. */
void graph_replace_uses(graph *g, tensor_id from, tensor_id to);

/* Sorts nodes into execution order, drops dead ones (node indices change here and only here) and
 * tensors' producers are known again. PTQ_FORMAT "the graph has a cycle through node 'x'". */
PTQ_CHECKED ptq_status graph_tidy(graph *g, ptq_error *err);
/* Removes nodes no output depends on, then tidies. */
PTQ_CHECKED ptq_status graph_prune(graph *g, ptq_error *err);
PTQ_CHECKED ptq_status graph_verify(const graph *g, ptq_error *err);

/* Sets input 0's shape and computes every shape again. PTQ_SHAPE names the node that does not fit.
 * graph_infer_shapes() keeps the inputs' shapes as they are. */
PTQ_CHECKED ptq_status graph_set_input_shape(graph *g, const shape *s, ptq_error *err);
PTQ_CHECKED ptq_status graph_infer_shapes(graph *g, ptq_error *err);
/* The same for one node, when the shapes of all its inputs are known: for building and folding in
 * order. PTQ_UNSUPPORTED: it needs a value that is not a constant (yet). */
bool node_inputs_known(const graph *g, node_id id);
PTQ_CHECKED ptq_status node_infer(graph *g, node_id id, ptq_error *err);
/* Constant inputs that the graph keeps as attributes become attributes, and the inputs go: Clip's
 * bounds, Resize's scales or sizes, Split's lengths, the axes of Squeeze, Unsqueeze and reductions.
 */
PTQ_CHECKED ptq_status node_absorb_constants(graph *g, node_id id, ptq_error *err);

/* What a node's parameters say about an input of `rank` axes. */
bool node_reduced_axes(const node *n, int rank, bool over[SHAPE_MAX_RANK]); /* false: outside */
void node_shape_span(const node *n, int rank, int *begin, int *end);        /* SHAPE: which axes */
typedef struct node_padding {
    int64_t before[SHAPE_MAX_RANK], after[SHAPE_MAX_RANK];
} node_padding;
typedef struct einsum_plan {
    int n_kept, n_labels; /* axes of the output; with those that are summed over */
    int64_t length[SHAPE_MAX_RANK];
    int label[2][SHAPE_MAX_RANK]; /* of each axis of each input */
} einsum_plan;
bool node_einsum(const graph *g, const node *n, einsum_plan *p); /* false: it does not fit */
/* NON_MAX_SUPPRESSION of constants: rows (image, class, box), 3 * *n_rows numbers to be released
 * with mem_free(). PTQ_UNSUPPORTED: its inputs are no constants. */
PTQ_CHECKED ptq_status node_suppress(const graph *g, const node *n, int64_t **rows, int64_t *n_rows,
                                     ptq_error *err);
/* PAD; PTQ_UNSUPPORTED: its amounts are not constants. */
PTQ_CHECKED ptq_status node_pads(const graph *g, const node *n, node_padding *p, ptq_error *err);

/* Queries. Pointers are borrowed and valid until the next graph_add_*(). */
int graph_n_nodes(const graph *g); /* dead ones included */
node *graph_node(graph *g, node_id id);
const node *graph_node_const(const graph *g, node_id id);
int graph_n_tensors(const graph *g);
tensor *graph_tensor(graph *g, tensor_id id);
const tensor *graph_tensor_const(const graph *g, tensor_id id);
int graph_n_inputs(const graph *g);
tensor_id graph_input(const graph *g, int i);
int graph_n_outputs(const graph *g);
tensor_id graph_output(const graph *g, int i);
bool graph_is_output(const graph *g, tensor_id id);
bool graph_is_const(const graph *g, tensor_id id);             /* false for TENSOR_NONE */
node_id graph_producer(const graph *g, tensor_id id);          /* NODE_NONE: input or constant */
tensor_id graph_find_tensor(const graph *g, const char *name); /* TENSOR_NONE: absent */
node_id graph_find_node(const graph *g, const char *name);
/* Live nodes that read `id`, each once; at most `max` are written, all are counted. */
int graph_consumers(const graph *g, tensor_id id, node_id *consumers, int max);
/* Whether every value of the outputs is one of input 0's: pooling by maximum, nearest resizing,
 * reshaping, cutting. The further inputs only say which. */
bool node_moves_values(const node *n);
/* is_tail[i]: node i comes after the last weighted nodes, on the way to outputs only: what decodes
 * boxes and scores. The graph is tidy; `is_tail` has room for every node. */
PTQ_CHECKED ptq_status graph_mark_tail(const graph *g, bool *is_tail, ptq_error *err);
/* Multiply-accumulates of convolutions and matmuls, at the present shapes. */
double graph_macs(const graph *g);

#endif
