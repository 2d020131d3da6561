/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_writer.h — an ONNX file under construction: protobuf messages in one arena.
 *
 * Calls in between cannot fail: out of memory is remembered, later calls do nothing, and
 * onnx_writer_save() reports it. Strings are copied; the data of tensors is borrowed until saving.
 * Tensor names are unique; the writer knows which are taken.
 */
#ifndef MODEL_ONNX_WRITER_H
#define MODEL_ONNX_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "graph/tensor.h"

typedef struct onnx_writer onnx_writer;
typedef struct Onnx__NodeProto onnx_node;

onnx_writer *onnx_writer_create(int opset); /* NULL when out of memory */
void onnx_writer_destroy(onnx_writer *w);   /* NULL allowed */
int onnx_writer_opset(const onnx_writer *w);

/* "<base><suffix>" or, when a tensor has that name, "<base><suffix>_1" ...; taken from now on.
 * "" when out of memory. Lives as long as the writer. */
const char *onnx_writer_name(onnx_writer *w, const char *base, const char *suffix);

/* Appends a node with one or more outputs. NULL when out of memory; onnx_attr_...() take it. */
onnx_node *onnx_writer_node(onnx_writer *w, const char *op_type, const char *name,
                            const char *const *inputs, int n_inputs, const char *output);
void onnx_node_output(onnx_writer *w, onnx_node *n, const char *output);
void onnx_node_int(onnx_writer *w, onnx_node *n, const char *name, int64_t value);
void onnx_node_ints(onnx_writer *w, onnx_node *n, const char *name, int count, const int *values);
void onnx_node_float(onnx_writer *w, onnx_node *n, const char *name, float value);
void onnx_node_text(onnx_writer *w, onnx_node *n, const char *name, const char *value);
/* A tensor of one element. */
void onnx_node_scalar(onnx_writer *w, onnx_node *n, const char *name, dtype type,
                      const void *value);

/* An initializer; `data` is borrowed. */
void onnx_writer_tensor(onnx_writer *w, const char *name, dtype type, const shape *s,
                        const void *data);
/* Small initializers, copied, under a fresh name that is returned. */
const char *onnx_writer_ints(onnx_writer *w, const char *base, const char *suffix, int n,
                             const int64_t *values);
const char *onnx_writer_floats(onnx_writer *w, const char *base, const char *suffix, const shape *s,
                               const float *values);
/* An initializer [columns,rows] of the values of a [rows,columns]. */
void onnx_writer_turned(onnx_writer *w, const char *name, size_t rows, size_t columns,
                        const float *values);
/* An initializer of float16, rounded from `values`. */
void onnx_writer_halves(onnx_writer *w, const char *name, const shape *s, const float *values);

typedef enum onnx_port { ONNX_INPUT, ONNX_OUTPUT } onnx_port;
/* Dimension 0 is written as `open` when it is -1; other unknown ones have no value. */
void onnx_writer_port(onnx_writer *w, onnx_port port, const char *name, dtype type, const shape *s,
                      const char *open);
void onnx_writer_metadata(onnx_writer *w, const char *key, const char *value);

int onnx_writer_n_nodes(const onnx_writer *w);
/* Temporary file and rename. A model of more than `most_bytes` (at most 2 GiB, the limit of
 * protobuf files) keeps the bytes of its larger tensors in "<path>.data", which is there before the
 * model is. PTQ_LIMIT: what is left has more than 2 GiB. */
PTQ_CHECKED ptq_status onnx_writer_save(onnx_writer *w, const char *path, size_t most_bytes,
                                        ptq_error *err);

#endif
