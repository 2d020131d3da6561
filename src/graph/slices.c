/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/slices.h"

uint32_t quantizer_axes(const quantizer *q)
{
    return q->several_axes ? q->several_axes : q->axis < 0 ? 0 : 1u << q->axis;
}

void quantizer_set_axes(quantizer *q, uint32_t axes)
{
    q->axis = -1;
    q->several_axes = 0;
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        if (axes == 1u << i)
            q->axis = i;
    if (q->axis < 0)
        q->several_axes = axes;
}

size_t slices_count(const shape *s, uint32_t axes)
{
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1)
            n *= s->dim[i] < 0 ? 0 : (size_t)s->dim[i];
    return n;
}

size_t slices_index(const shape *s, uint32_t axes, size_t i)
{
    size_t index = 0;
    size_t step = 1; /* between two ranges along the present axis */
    for (int k = s->rank - 1; k >= 0; k--) {
        size_t length = (size_t)s->dim[k];
        if (axes >> k & 1) {
            index += i % length * step;
            step *= length;
        }
        i /= length;
    }
    return index;
}
