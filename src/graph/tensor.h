/* SPDX-License-Identifier: Apache-2.0 */
/* graph/tensor.h — element types, shapes, and the description of one value in a graph.
 *
 * Shapes are logical: an image tensor is always [N,C,H,W] here, whatever order the engine stores
 * it in. A dimension of -1 is not known yet (it depends on the input's size).
 */
#ifndef GRAPH_TENSOR_H
#define GRAPH_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/dtype.h"

size_t dtype_bytes(dtype t);
const char *dtype_name(dtype t);  /* "f32" */
const char *dtype_numpy(dtype t); /* "<f4"; NULL when numpy has none */
int dtype_onnx(dtype t);
bool dtype_from_onnx(int code, dtype *t); /* false: a type we do not have */

enum { SHAPE_MAX_RANK = 8 };

typedef struct shape {
    int rank; /* 0: a scalar */
    int64_t dim[SHAPE_MAX_RANK];
} shape;

shape shape_make(int rank, const int64_t *dims);
shape shape4(int64_t n, int64_t c, int64_t h, int64_t w);
bool shape_equal(const shape *a, const shape *b);
bool shape_known(const shape *s); /* no -1 */
/* Number of elements; false when a dimension is unknown or the product overflows. */
bool shape_count(const shape *s, size_t *count);
/* "[1,3,640,640]" into `text`; returns text. */
const char *shape_text(const shape *s, char text[128]);

typedef uint32_t tensor_id;    /* index in its graph, stable across passes */
#define TENSOR_NONE UINT32_MAX /* an absent optional input */

typedef struct tensor {
    const char *name; /* unique in its graph */
    dtype type;
    shape shape;
    blob *data;      /* the value of a constant, row-major; NULL for everything computed */
    bool is_dynamic; /* shape depends on the graph input: inference fills it */
} tensor;

#endif
