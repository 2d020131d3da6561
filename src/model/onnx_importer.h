/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_importer.h — inside model/: the state of one import, shared by the onnx_import*.c.
 *
 * Order of work (onnx_import.c): every operator known? -> constants indexed -> nodes named -> nodes
 * built in file order -> sorted -> settled in execution order (parameters that depend on a shape,
 * constant parameters into attributes, shape inference).
 */
#ifndef MODEL_ONNX_IMPORTER_H
#define MODEL_ONNX_IMPORTER_H

#include "base/env.h"
#include "base/strmap.h"
#include "graph/graph.h"
#include "model/model.h"
#include "model/onnx_file.h"

/* An initializer, or the value of a Constant node (then `tensor` is NULL unless it has one). */
typedef struct onnx_constant {
    const char *name;
    const Onnx__TensorProto *tensor;
    const Onnx__AttributeProto *value; /* value_float, value_ints ... */
    tensor_id id;                      /* TENSOR_NONE until something reads it */
} onnx_constant;

/* What a node still lacks until the shape of its input is known. */
typedef enum onnx_pending {
    ONNX_NOTHING,
    ONNX_SAME_UPPER,    /* auto_pad */
    ONNX_SAME_LOWER,    /* auto_pad */
    ONNX_OUTPUT_SHAPE,  /* ConvTranspose with output_shape and without auto_pad */
    ONNX_REVERSED_PERM, /* Transpose without perm */
    ONNX_TYPE_OF_INPUT, /* CastLike */
    ONNX_FLAT_SOFTMAX   /* before opset 13: over all axes from `axis` on */
} onnx_pending;

typedef struct onnx_importer {
    onnx_file file; /* onnx_cut_nms() may shorten it */
    const Onnx__GraphProto *src;
    char *dir; /* of the model file, for external data */
    size_t max_bytes;
    const ptq_env *env;
    graph *g; /* owned until handed to the model */
    onnx_constant *constants;
    int n_constants;
    strmap *names;     /* tensor name -> index of its constant, or -1 when computed */
    strmap *producers; /* tensor name -> index of the node in src->node */
    strmap *pending;   /* node name -> onnx_pending */
    const char **node_names;
} onnx_importer;

/* A file that ends in a suppression becomes one that ends in what it suppresses: the last place
 * before it where all that comes from the inputs is one tensor. (onnx_import_nms.c) */
PTQ_CHECKED ptq_status onnx_cut_nms(onnx_importer *im, model *m, ptq_error *err);

/* The constant behind a tensor: itself, or through Q, DQ, Transpose, Reshape, Identity ...; NULL
 * when it is computed from inputs. */
onnx_constant *onnx_find_constant(const onnx_importer *im, const char *tensor_name);
PTQ_CHECKED ptq_status onnx_constant_shape(const onnx_constant *c, shape *s, ptq_error *err);

/* A tensor the graph has for `name`: "" is TENSOR_NONE, constants are added at their first use. */
PTQ_CHECKED ptq_status onnx_resolve(onnx_importer *im, const char *name, tensor_id *id,
                                    ptq_error *err);
/* A new integer constant "<node>.<what>": parameters of old opsets that are inputs now. */
typedef struct onnx_ints {
    const char *what;
    int n;
    const int64_t *values;
} onnx_ints;
PTQ_CHECKED ptq_status onnx_add_ints(onnx_importer *im, const char *node_name, onnx_ints ints,
                                     tensor_id *id, ptq_error *err);
PTQ_CHECKED ptq_status onnx_set_pending(onnx_importer *im, const node *n, onnx_pending what,
                                        ptq_error *err);

/* Fills im->node_names: layers by their weights, the others as the file calls them; all unique
 * (onnx_import_names.c). */
PTQ_CHECKED ptq_status onnx_name_nodes(onnx_importer *im, ptq_error *err);

/* Fills what the file says about itself: classes, stride, parameters, metadata ... */
PTQ_CHECKED ptq_status onnx_describe(const onnx_importer *im, model *m, ptq_error *err);

/* Whether the node's operator can be read (onnx_import_ops.c). */
bool onnx_op_known(const Onnx__NodeProto *src);
/* How many of its outputs the graph has: one for most, the others do not matter. */
int onnx_n_outputs(const Onnx__NodeProto *src);
/* Fills n->op, n->attr and may change the inputs. n->inputs has room for ONNX_SPARE_INPUTS more. */
enum { ONNX_SPARE_INPUTS = 4 };
PTQ_CHECKED ptq_status onnx_read_node(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                      ptq_error *err);
typedef ptq_status onnx_read_fn(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                ptq_error *err);
/* A node to be made in front of the one that is read: at most four inputs, the absent last ones
 * left out. (onnx_expand.c) */
typedef struct onnx_part {
    graph_op op;
    tensor_id in[4];
    int n_in;
    op_attr attr;
    const char *name; /* NULL: one is made */
} onnx_part;
PTQ_CHECKED ptq_status onnx_add_part(onnx_importer *im, const node *n, const onnx_part *p,
                                     tensor_id *out, ptq_error *err);
void onnx_finish_part(node *n, const onnx_part *p); /* `n` becomes the last one */
/* A part took the node's name (its parameters are pending under it): `n` gets another. */
PTQ_CHECKED ptq_status onnx_rename_last(onnx_importer *im, node *n, ptq_error *err);

/* Operators with windows (onnx_import_window.c). */
onnx_read_fn onnx_read_window; /* of two axes, attributes alone */
onnx_read_fn onnx_read_conv;
onnx_read_fn onnx_read_pool;
onnx_read_fn onnx_read_resize;
onnx_read_fn onnx_read_upsample;

/* onnx_import_select.c */
onnx_read_fn onnx_read_shrink, onnx_read_is_inf;
onnx_read_fn onnx_read_elu, onnx_read_selu, onnx_read_gelu, onnx_read_swish, onnx_read_mod;
onnx_read_fn onnx_read_reduce, onnx_read_arg, onnx_read_global_max, onnx_read_top_k, onnx_read_pad;
onnx_read_fn onnx_read_space, onnx_read_shape, onnx_read_cast_like;
/* onnx_import_index.c */
onnx_read_fn onnx_read_trilu, onnx_read_cum_sum, onnx_read_gather_nd, onnx_read_scatter;
onnx_read_fn onnx_read_one_hot, onnx_read_einsum, onnx_read_suppression;
/* Operators that become several nodes (onnx_expand.c). */
onnx_read_fn onnx_read_qlinear_conv, onnx_read_qlinear_matmul, onnx_read_conv_integer;
onnx_read_fn onnx_read_matmul_integer, onnx_read_dynamic_quantize, onnx_read_layer_norm;
onnx_read_fn onnx_read_instance_norm, onnx_read_group_norm, onnx_read_log_softmax;
onnx_read_fn onnx_read_sum, onnx_read_mean, onnx_read_lp_pool, onnx_read_global_lp_pool;

/* After sorting: pending parameters, constant parameters, shapes (onnx_import_settle.c). */
PTQ_CHECKED ptq_status onnx_settle(onnx_importer *im, ptq_error *err);

#endif
