/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_exporter.h — inside model/: the state of one export, shared by the onnx_export*.c. */
#ifndef MODEL_ONNX_EXPORTER_H
#define MODEL_ONNX_EXPORTER_H

#include "graph/graph.h"
#include "model/model.h"
#include "model/onnx_writer.h"

typedef struct half_names half_names; /* onnx_export_half.c */

typedef struct onnx_exporter {
    const graph *g; /* a copy for this export: pruned, shapes known at the size written */
    onnx_writer *w;
    const char **names; /* per tensor: its name in the file; NULL for tensors nothing uses */
    bool *is_written;   /* per tensor: the constant is an initializer already */
    const char **list;  /* room for the input names of any node */
    bool batch_is_open; /* the shapes say 1, the file says "batch" */
    half_names *half;   /* NULL: the file is float32 */
} onnx_exporter;

/* The name of a tensor in the file, "" for TENSOR_NONE; a constant is written at its first use. In
 * a float16 file: as the node being written reads it, behind a Cast when it was made otherwise. */
const char *onnx_export_tensor(onnx_exporter *e, tensor_id id);
/* A small float constant of the node being written, copied, under a fresh name. */
const char *onnx_export_floats(onnx_exporter *e, const char *base, const char *suffix,
                               const shape *s, const float *values);
/* What stands for a float type in the node being written. */
dtype onnx_export_type(const onnx_exporter *e, dtype t);
/* One ONNX node for one of ours: same inputs, name and first output. */
onnx_node *onnx_export_same(onnx_exporter *e, const node *n, const char *op_type);

/* Float16 files: every node computes in float16 but those of the tail (graph_mark_tail), which
 * stay float32, as graph inputs and outputs do. `node` NODE_NONE: a graph output is written. */
PTQ_CHECKED ptq_status half_open(onnx_exporter *e, ptq_error *err);
void half_close(onnx_exporter *e);
void half_enter(onnx_exporter *e, node_id node);
/* The names of an output that is made in float16: of what is made, and of its Cast. */
void half_name_output(onnx_exporter *e, tensor_id id, const char *wanted);
const char *half_tensor(onnx_exporter *e, tensor_id id);
bool half_is_on(const onnx_exporter *e); /* the node being written computes in float16 */

/* Writes one node as one or more (onnx_export_ops.c). */
PTQ_CHECKED ptq_status onnx_export_node(onnx_exporter *e, const node *n, ptq_error *err);

/* The tail of an end-to-end file and its output "detections" [n,7] (onnx_export_nms.c). */
PTQ_CHECKED ptq_status onnx_export_nms(onnx_exporter *e, const nms_form *form, ptq_error *err);

/* What ONNX spells out in several nodes (onnx_export_lower.c). The last of them has the node's
 * name and output, the others "<name>/<what>". */
void onnx_export_activation(onnx_exporter *e, const char *name, activation act, const char *x,
                            const char *y);
/* The convolution of a head whose decode has the pixels first: a MatMul between Transposes. */
bool onnx_is_head_product(const onnx_exporter *e, const node *n);
void onnx_export_head_product(onnx_exporter *e, const node *n);
void onnx_export_space_to_depth(onnx_exporter *e, const node *n);
void onnx_export_yolo_raw(onnx_exporter *e, const node *n);
PTQ_CHECKED ptq_status onnx_export_yolo_decode(onnx_exporter *e, const node *n, ptq_error *err);

/* onnx_export_select.c */
typedef ptq_status onnx_write_fn(onnx_exporter *e, const node *n, ptq_error *err);
onnx_write_fn onnx_write_young, onnx_write_elu, onnx_write_arg, onnx_write_reduce, onnx_write_top_k;
onnx_write_fn onnx_write_pad, onnx_write_depth_to_space, onnx_write_shape, onnx_write_mod;
onnx_write_fn onnx_write_shrink, onnx_write_is_inf, onnx_write_reshape;
/* onnx_export_index.c */
onnx_write_fn onnx_write_trilu, onnx_write_cum_sum, onnx_write_gather_nd, onnx_write_scatter;
onnx_write_fn onnx_write_einsum, onnx_write_suppression;

#endif
