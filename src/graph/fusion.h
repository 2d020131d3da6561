/* SPDX-License-Identifier: Apache-2.0 */
/* graph/fusion.h — what may be computed together or in another order; each can be left out, to find
 * out what it brings and whether it is right.
 */
#ifndef GRAPH_FUSION_H
#define GRAPH_FUSION_H

#include "base/error.h"

typedef enum fusion {
    FUSION_ACTIVATION = 1, /* a convolution applies the activation behind it */
    FUSION_REQUANTIZE = 2, /* an integer convolution writes the codes of the quantizer behind it */
    FUSION_MOVEMENT = 4,   /* pooling, concatenation and resizing move codes */
    FUSION_CONCAT = 8,     /* parts of a concatenation are computed in their place */
    FUSION_WINOGRAD = 16,  /* 3x3 convolutions in float32 by Winograd's algorithm */
    FUSION_DECODE = 32     /* a head's convolution hands its pixels to the decode behind it */
} fusion;

/* The set a list such as "activation,concat" names; NULL: none. PTQ_USAGE for another word. */
PTQ_CHECKED ptq_status fusions_parse(const char *list, unsigned *out, ptq_error *err);

#endif
