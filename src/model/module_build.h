/* SPDX-License-Identifier: Apache-2.0 */
/* model/module_build.h — what the builders of modules share; private to module_graph.c,
 * module_blocks.c and module_head.c.
 */
#ifndef MODEL_MODULE_BUILD_H
#define MODEL_MODULE_BUILD_H

#include "graph/graph.h"
#include "model/module.h"
#include "model/pt_state.h"

typedef struct builder {
    graph *g;
    network *net;
    pt_state *weights;
    size_t bytes_left; /* for weights */
    blob *shelf;       /* what the next weights are cut from; NULL: nothing yet */
    size_t shelf_used;
    arena *names;
    ptq_error *err;
} builder;

/* An operator with one output. `out` names the output tensor; NULL: "<name>.out". */
typedef struct op_desc {
    graph_op op;
    const char *name;
    int n;
    const tensor_id *x;
    const op_attr *attr; /* NULL: none */
    const char *out;
} op_desc;

PTQ_CHECKED ptq_status build_op(builder *b, const op_desc *d, tensor_id *y);

/* "<path>.<suffix>" of a module. */
PTQ_CHECKED ptq_status build_name(builder *b, const module *m, const char *suffix,
                                  const char **name);

/* A parameter of `m` as a constant; missing implicit ones get their neutral value. */
PTQ_CHECKED ptq_status build_param(builder *b, const module *m, const module_param *p,
                                   tensor_id *id);

/* One module with one input. The last operator's output is named `out` (NULL: any name); a module
 * that computes nothing gives *y = x. */
PTQ_CHECKED ptq_status build_module(builder *b, const module *m, tensor_id x, const char *out,
                                    tensor_id *y);
/* A tensor and the name it shall have; NULL: any. */
typedef struct named_value {
    const char *name;
    tensor_id id;
} named_value;

/* One after the other, NULL left out; the last that computes something gets the name. */
PTQ_CHECKED ptq_status build_sequence(builder *b, module *const *parts, int n, tensor_id x,
                                      named_value *v);
/* Parts one after the other, by name, separated by blanks; a name with '?' may be absent. */
PTQ_CHECKED ptq_status build_chain(builder *b, const module *m, const char *parts, tensor_id x,
                                   const char *out, tensor_id *y);
/* Concatenation along the channels and sum, named "<path>.cat" and "<path>.add". */
PTQ_CHECKED ptq_status build_cat(builder *b, const module *m, const tensor_id *x, int n,
                                 tensor_id *y);
PTQ_CHECKED ptq_status build_add(builder *b, const module *m, const tensor_id x[2], const char *out,
                                 tensor_id *y);

/* module_blocks.c: modules made of others. */
PTQ_CHECKED ptq_status build_block(builder *b, const module *m, tensor_id x, const char *out,
                                   tensor_id *y);

/* module_head.c: the decoded output of the head from its inputs, named `out`. */
PTQ_CHECKED ptq_status build_head(builder *b, const module *m, const tensor_id *x, const char *out,
                                  tensor_id *y);

#endif
