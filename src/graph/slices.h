/* SPDX-License-Identifier: Apache-2.0 */
/* graph/slices.h — a quantizer's axes: the slices of a tensor along them have a range each.
 *
 * Axes are bits: bit i is axis i. Ranges are ordered as the slices are: the last of the axes runs
 * fastest.
 */
#ifndef GRAPH_SLICES_H
#define GRAPH_SLICES_H

#include "graph/qparams.h"
#include "graph/tensor.h"

/* The axes of a quantizer; 0: one range for the tensor. */
uint32_t quantizer_axes(const quantizer *q);
void quantizer_set_axes(quantizer *q, uint32_t axes);
/* Number of slices; 0 when one of the dimensions is not known. */
size_t slices_count(const shape *s, uint32_t axes);
/* The slice, and so the range, of element `i` of row-major values. */
size_t slices_index(const shape *s, uint32_t axes, size_t i);

#endif
