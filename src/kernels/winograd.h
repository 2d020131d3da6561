/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/winograd.h — the transforms of conv_winograd: F(2x2, 3x3) of Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks" (2015).
 *
 * Four outputs of a 3x3 window come from sixteen products instead of thirty-six:
 *     Y = A^T [ sum over channels (G g G^T) . (B^T d B) ] A
 * with d the 4x4 input around the 2x2 output. The products of each of the 16 positions are a matrix
 * product over the channels, done by the tiles of tile.h. Its roundings are not those of the direct
 * sum, but no larger: sums are nine times shorter. */
#ifndef KERNELS_WINOGRAD_H
#define KERNELS_WINOGRAD_H

#include <stdint.h>

enum { WINOGRAD_POSITIONS = 16, WINOGRAD_LANES = 16 };

/* B^T d B of n channels (a multiple of WINOGRAD_LANES): pixel i of the 4x4 input is at src[i],
 * position i goes to dst + i*plane floats. */
typedef void winograd_input_fn(const float *const src[WINOGRAD_POSITIONS], float *dst,
                               int64_t plane, int64_t n);

/* A^T m A + bias of n channels: position i is at src + i*plane floats; the rows of two outputs go
 * to dst[0] and dst[1], n floats apiece. */
typedef void winograd_output_fn(const float *src, int64_t plane, const float *bias,
                                float *const dst[2], int64_t n);

#if defined(__x86_64__)
winograd_input_fn winograd_input_avx512;
winograd_output_fn winograd_output_avx512;
#endif

#endif
