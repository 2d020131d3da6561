/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/test_plan.h — a quantization plan written by hand. Start with a zeroed test_plan. */
#ifndef TEST_PLAN_H
#define TEST_PLAN_H

#include "graph/qparams.h"
#include "test.h"

typedef struct test_plan {
    qplan plan; /* entries, extras and tensors point into this object: do not copy it */
    qplan_entry entries[32];
    qplan_extra extras[32];
    qplan_tensor tensors[8];
    float amax[1024];
    int n_amax;
} test_plan;

/* Signed 8-bit quantizers: one range for the input, `n` for the weight on `axis` (-1: one range;
 * n 0: no weight quantizer). The names are borrowed. The entry may be changed. */
qplan_entry *plan_layer(test_plan *p, const char *layer, float input_amax, int axis, int n,
                        const float *weight_amax);
/* A quantizer on another input. */
qplan_extra *plan_extra(test_plan *p, const char *node, int input_index, float amax);
/* Unsigned 8-bit codes of a tensor. */
qplan_tensor *plan_tensor(test_plan *p, const char *tensor, float low, float high);

#endif
