/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_tensor.h — the values of a TensorProto: raw, typed, or in a file of their own.
 *
 * The graph computes in float32: float16, bfloat16 and float64 values become float32 here.
 * Integers and booleans keep their type; 4-bit codes take a byte each.
 */
#ifndef MODEL_ONNX_TENSOR_H
#define MODEL_ONNX_TENSOR_H

#include "base/blob.h"
#include "base/error.h"
#include "formats/onnx.pb-c.h"
#include "graph/tensor.h"

/* TensorProto.DataType of opset 21, which older definitions of the format do not name. */
enum { ONNX_UINT4 = 21, ONNX_INT4 = 22 };
bool onnx_is_4bit(const Onnx__TensorProto *t);

typedef struct onnx_values {
    dtype type;
    shape shape;
    blob *data; /* owned by whoever holds this: blob_unref() */
} onnx_values;

/* "float16"; "unknown" for a number that ONNX does not use. */
const char *onnx_type_name(int code);
/* The type a value of ONNX type `code` has in the graph; PTQ_UNSUPPORTED names the type. */
PTQ_CHECKED ptq_status onnx_graph_type(int code, dtype *type, ptq_error *err);

/* Shape alone; no data is looked at. */
PTQ_CHECKED ptq_status onnx_tensor_shape(const Onnx__TensorProto *t, shape *s, ptq_error *err);

/* Nothing is allocated before the data that must fill it was seen. External data is read from below
 * `dir`, never from elsewhere, at most `max_bytes`. */
PTQ_CHECKED ptq_status onnx_tensor_read(const Onnx__TensorProto *t, const char *dir,
                                        size_t max_bytes, onnx_values *out, ptq_error *err);

#endif
