/* SPDX-License-Identifier: Apache-2.0 */
#include "test_plan.h"

static quantizer signed8(test_plan *p, int axis, int n, const float *amax)
{
    assert_true(p->n_amax + n <= (int)(sizeof p->amax / sizeof *p->amax));
    quantizer z = {.enabled = n > 0, .num_bits = 8, .axis = axis, .n_amax = n};
    z.amax = p->amax + p->n_amax;
    for (int i = 0; i < n; i++)
        z.amax[i] = amax[i];
    p->n_amax += n;
    return z;
}

qplan_entry *plan_layer(test_plan *p, const char *layer, float input_amax, int axis, int n,
                        const float *weight_amax)
{
    assert_true(p->plan.n_entries < (int)(sizeof p->entries / sizeof *p->entries));
    p->plan.entries = p->entries;
    qplan_entry *e = &p->entries[p->plan.n_entries++];
    e->layer = (char *)(uintptr_t)layer;
    e->input = signed8(p, -1, 1, &input_amax);
    e->weight = signed8(p, axis, n, weight_amax);
    return e;
}

qplan_extra *plan_extra(test_plan *p, const char *node, int input_index, float amax)
{
    assert_true(p->plan.n_extras < (int)(sizeof p->extras / sizeof *p->extras));
    p->plan.extras = p->extras;
    qplan_extra *e = &p->extras[p->plan.n_extras++];
    e->node = (char *)(uintptr_t)node;
    e->input_index = input_index;
    e->input = signed8(p, -1, 1, &amax);
    return e;
}

qplan_tensor *plan_tensor(test_plan *p, const char *tensor, float low, float high)
{
    assert_true(p->plan.n_tensors < (int)(sizeof p->tensors / sizeof *p->tensors));
    p->plan.tensors = p->tensors;
    qplan_tensor *t = &p->tensors[p->plan.n_tensors++];
    t->tensor = (char *)(uintptr_t)tensor;
    t->codes = signed8(p, -1, 1, &high);
    t->codes.is_unsigned = true;
    t->codes.low = low;
    return t;
}
