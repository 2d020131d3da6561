/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/strided_view.h — a strided window on values: what every kernel reads and writes.
 *
 * Dimensions are logical ([N,C,H,W] for images); the strides tell how they are stored. So one
 * scalar kernel is right for every layout, a piece of a concatenation is a view of the whole, and
 * broadcasting is stride 0.
 */
#ifndef KERNELS_STRIDED_VIEW_H
#define KERNELS_STRIDED_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

enum { VIEW_MAX_RANK = 8 };

typedef struct view {
    char *data; /* borrowed; element [0,0,...] */
    dtype type;
    int rank;
    int64_t dim[VIEW_MAX_RANK];
    int64_t stride[VIEW_MAX_RANK]; /* in elements */
} view;

/* Row-major without gaps. */
view view_dense(dtype type, int rank, const int64_t *dim);
/* An image stored [N,H,W,C] with `pixel_stride` (>= C) elements between pixels. */
view view_nhwc(dtype type, const int64_t dim[4], int64_t pixel_stride);

size_t view_type_bytes(dtype type);
int64_t view_count(const view *v); /* elements */
bool view_is_dense(const view *v); /* row-major without gaps */
/* Whether `v` is stored as view_nhwc() says; *pixel_stride may be NULL. */
bool view_is_nhwc(const view *v, int64_t *pixel_stride);
bool view_is_packed(const view *v); /* NHWC without gaps */
bool view_same_dims(const view *a, const view *b);
/* `v` repeated to `dim` by the rules of ONNX (numpy); false when it does not fit. */
bool view_broadcast(const view *v, int rank, const int64_t *dim, view *out);
/* The part [from, from+length) along an axis. */
view view_slice(const view *v, int axis, int64_t from, int64_t length);
/* The same elements in the same logical order under other dimensions; false when that needs a copy
 * because elements that should be neighbours are not. */
bool view_reshape(const view *v, int rank, const int64_t *dim, view *out);
/* Pointwise operands with equal dims: drops and merges dimensions and orders them by the strides
 * of the last one, so that the innermost dimension is as long and as dense as it can be. */
void view_coalesce(view *operands, int n);

/* The element offset of position `i` in logical order, and that position axis by axis. */
int64_t view_position(const view *v, int64_t i, int64_t at[VIEW_MAX_RANK]);
int64_t view_offset(const view *v, const int64_t at[VIEW_MAX_RANK]);

/* One element as a number: exact for all types but 64-bit integers beyond 2^53. */
double view_load(const char *p, dtype type);
/* Nearest value for floating types; integers truncate toward zero and saturate, NaN gives 0. */
void view_store(char *p, dtype type, double value);

#endif
