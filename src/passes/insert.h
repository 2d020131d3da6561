/* SPDX-License-Identifier: Apache-2.0 */
/* passes/insert.h — inside passes/: what pass_insert_qdq() is made of. */
#ifndef PASSES_INSERT_H
#define PASSES_INSERT_H

#include "graph/slices.h"
#include "passes/qnode.h"

/* One quantizer at one input of one node, or on a tensor. */
typedef struct place {
    graph *g;
    node_id node; /* NODE_NONE: `tensor` itself */
    int input;
    const quantizer *quantizer;
    const char *role; /* "input", "weight": the names begin with "<node>.<role>" */
    tensor_id tensor;
} place;

tensor_id place_tensor(const place *p);
/* Whose quantizer it is: the node, or the tensor. */
const char *place_owner(const place *p);
void place_set_input(const place *p, tensor_id x);
/* "<node>.<role><suffix>", made unique; NULL when out of memory. */
const char *place_name(const place *p, const char *suffix);

/* The type that holds the codes of a quantizer, and the codes it has. */
dtype codes_type(const quantizer *z);
code_range codes_range(const quantizer *z);
bool codes_fill_type(const quantizer *z);
/* scale = amax / highest code, 1 where the range counts as zero; the caller frees *out. */
PTQ_CHECKED ptq_status codes_scales(const quantizer *z, float **out, ptq_error *err);

/* What no Q/DQ pair says, for simulation:
 *   a range per slice along several axes, or fewer codes than the type has and a range per slice:
 *     x -> Div(scales) -> [Clip] -> Q(1) -> DQ(1) -> Mul(scales), or a weight with rounded values;
 *   only_clips: x -> Clip(-amax, amax), or a weight with cut values. */
bool insert_is_special(const place *p, bool is_weight);
PTQ_CHECKED ptq_status insert_special_input(const place *p, ptq_error *err);
PTQ_CHECKED ptq_status insert_special_weight(const place *p, ptq_error *err);

#endif
