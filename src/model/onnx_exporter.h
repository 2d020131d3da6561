/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_exporter.h — inside model/: the state of one export, shared by the onnx_export*.c. */
#ifndef MODEL_ONNX_EXPORTER_H
#define MODEL_ONNX_EXPORTER_H

#include "graph/graph.h"
#include "model/onnx_writer.h"

typedef struct onnx_exporter {
    const graph *g; /* a copy for this export: pruned, shapes known at the size written */
    onnx_writer *w;
    const char **names; /* per tensor: its name in the file; NULL for tensors nothing uses */
    bool *is_written;   /* per tensor: the constant is an initializer already */
    const char **list;  /* room for the input names of any node */
    bool batch_is_open; /* the shapes say 1, the file says "batch" */
} onnx_exporter;

/* The name of a tensor in the file, "" for TENSOR_NONE; a constant is written at its first use. */
const char *onnx_export_tensor(onnx_exporter *e, tensor_id id);
/* One ONNX node for one of ours: same inputs, name and first output. */
onnx_node *onnx_export_same(onnx_exporter *e, const node *n, const char *op_type);

/* Writes one node as one or more (onnx_export_ops.c). */
PTQ_CHECKED ptq_status onnx_export_node(onnx_exporter *e, const node *n, ptq_error *err);

/* What ONNX spells out in several nodes (onnx_export_lower.c). The last of them has the node's
 * name and output, the others "<name>/<what>". */
void onnx_export_activation(onnx_exporter *e, const char *name, activation act, const char *x,
                            const char *y);
void onnx_export_space_to_depth(onnx_exporter *e, const node *n);
void onnx_export_yolo_raw(onnx_exporter *e, const node *n);
PTQ_CHECKED ptq_status onnx_export_yolo_decode(onnx_exporter *e, const node *n, ptq_error *err);

#endif
