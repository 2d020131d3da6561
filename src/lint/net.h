/* SPDX-License-Identifier: Apache-2.0 */
/* lint/net.h — the network as its file writes it: every node, value and constant, nothing changed.
 *
 * The importer (model/) turns a file into a graph that can be run: it widens types, fills in absent
 * attributes and refuses what it cannot run. A lint must see exactly those things, so it reads the
 * messages themselves. What a file lacks is left open: types 0, shapes unknown, NET_NONE.
 */
#ifndef LINT_NET_H
#define LINT_NET_H

#include "base/env.h"
#include "graph/tensor.h"
#include "model/onnx_file.h"

#define NET_NONE UINT32_MAX

/* Element types as ONNX numbers them; those of opset 19 and later have no name in older files. */
enum {
    TYPE_UNKNOWN = 0,
    TYPE_FLOAT = 1,
    TYPE_UINT8 = 2,
    TYPE_INT8 = 3,
    TYPE_UINT16 = 4,
    TYPE_INT16 = 5,
    TYPE_INT32 = 6,
    TYPE_INT64 = 7,
    TYPE_BOOL = 9,
    TYPE_FLOAT16 = 10,
    TYPE_DOUBLE = 11,
    TYPE_BFLOAT16 = 16,
    TYPE_FLOAT8E4M3FN = 17,
    TYPE_FLOAT8E5M2FNUZ = 20, /* 17 ... 20: the 8-bit floats */
    TYPE_UINT4 = 21,
    TYPE_INT4 = 22,
    TYPE_FLOAT4E2M1 = 23
};
bool net_type_is_float(int type); /* float, float16, bfloat16, double */

/* What kind of operator a node is; a node may be several. */
enum {
    NET_Q = 1 << 0,
    NET_DQ = 1 << 1,
    NET_WEIGHTED = 1 << 2, /* Conv, ConvTranspose, Gemm, MatMul */
    NET_CONV = 1 << 3,     /* Conv, ConvTranspose */
    NET_MOVES = 1 << 4,    /* values pass unchanged: quantizing before or after is the same */
    NET_ACTIVATION = 1 << 5,
    NET_UNIT = 1 << 6,      /* results between 0 and 1 */
    NET_SUBGRAPH = 1 << 7,  /* holds a graph of its own, which is not looked at */
    NET_FOREIGN = 1 << 8,   /* not of the default ONNX domain */
    NET_FUNCTION = 1 << 9,  /* a function that the file defines itself */
    NET_DATA_ONLY = 1 << 10 /* of NET_MOVES: only input 0 is moved, the others say how */
};

typedef struct net_value {
    const char *name;
    uint32_t producer;                   /* node; NET_NONE: input, constant, or nothing makes it */
    const Onnx__TensorProto *tensor;     /* of a constant; NULL for numbers in attributes */
    const Onnx__AttributeProto *numbers; /* of a Constant node without a tensor */
    int type;                            /* 0: not known */
    bool has_shape;
    shape shape;        /* -1: that dimension is open */
    bool is_constant;   /* written in the file, or computed from nothing but such values */
    bool is_input;      /* of the graph */
    bool is_output;     /* of the graph */
    uint32_t n_readers; /* nodes; one that reads twice counts twice */
    uint32_t *readers;
} net_value;

typedef struct net_node {
    const Onnx__NodeProto *src;
    const char *op;   /* "Conv" */
    const char *name; /* as ptq calls layers: by the weight, else the node's own; never empty */
    unsigned kind;
    uint32_t file_index; /* Constant nodes counted */
    uint32_t n_inputs, n_outputs;
    uint32_t *inputs; /* values; NET_NONE for an absent one */
    uint32_t *outputs;
} net_node;

typedef struct net {
    onnx_file file; /* owns everything here */
    char *dir;      /* of the file, for external data; owned */
    size_t max_bytes;
    net_node *nodes; /* in the file's order; Constant nodes are left out */
    uint32_t n_nodes;
    net_value *values;
    uint32_t n_values;
    uint32_t *order; /* nodes in execution order */
    uint32_t *graph_outputs;
    uint32_t n_graph_outputs;
} net;

typedef struct net_limits {
    size_t max_bytes;
    size_t max_depth;
} net_limits;

PTQ_CHECKED ptq_status net_read(const char *path, const net_limits *limits, const ptq_env *env,
                                net *out, ptq_error *err);
void net_close(net *n);

/* The input of a node, NET_NONE when it has none there or there is no node. */
uint32_t net_input(const net_node *node, uint32_t i);
const net_node *net_producer(const net *n, uint32_t value); /* NULL: none */
bool net_is(const net_node *node, const char *op);          /* false for NULL */
bool net_is_kind(const net_node *node, unsigned kind);      /* any of these; false for NULL */
uint32_t net_index(const net *n, const net_node *node);
/* The constant behind a value, looked for through Q, DQ, Cast, Transpose, Reshape ... NET_NONE. */
uint32_t net_constant_behind(const net *n, uint32_t value);
/* Size of one dimension; -1 when it is not known. Negative axes count from the end. */
int64_t net_dim(const net *n, uint32_t value, int64_t axis);

/* Attributes: absent ones, and ones of another kind, give the fallback. */
int64_t net_attr_int(const net_node *node, const char *name, int64_t fallback);
bool net_attr_is(const net_node *node, const char *name, const char *text);

/* Fills types, shapes and is_constant as far as the file tells (net_types.c). */
void net_find_types(net *n);

#endif
