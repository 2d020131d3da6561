/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/half_plan.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "quant/fake_quant.h"

#define SMALLEST_NORMAL 0x1p-14f
/* Ranges below this count as zero: their scale is 1. */
#define AMAX_ZERO 0x1p-24f

/* What was found in one quantizer. */
typedef struct widening {
    int n;
    float smallest; /* scale wanted */
} widening;

float half_weight_scale(float scale)
{
    int exponent;
    float fraction = frexpf(scale, &exponent);
    return ldexpf(ceilf(fraction * 16), exponent - 4);
}

static ptq_status round_range(float *amax, float most, bool is_weight, widening *w, ptq_error *err)
{
    float scale = *amax / most;
    if (*amax <= AMAX_ZERO)
        return PTQ_OK;
    if (scale < SMALLEST_NORMAL) {
        w->smallest = w->n == 0 || scale < w->smallest ? scale : w->smallest;
        w->n++;
        scale = SMALLEST_NORMAL;
    }
    scale = is_weight ? half_weight_scale(scale) : scale;
    scale = half_to_float(half_from_float(scale));
    if (isinf(scale))
        return error_set(err, PTQ_UNSUPPORTED, "a scale of %g is beyond float16", *amax / most);
    *amax = scale * most; /* exact: 11 bits times 8 */
    return PTQ_OK;
}

static ptq_status round_quantizer(quantizer *q, const char *layer, const char *what,
                                  json_t *widened, ptq_error *err)
{
    widening w = {0};
    float most = (float)fake_quant_highest(q->num_bits, q->is_unsigned);
    bool is_weight = strcmp(what, "weight") == 0;
    ptq_status status = PTQ_OK;
    for (int i = 0; q->enabled && i < q->n_amax && status == PTQ_OK; i++)
        status = round_range(&q->amax[i], most, is_weight, &w, err);
    if (status != PTQ_OK)
        error_context(err, "the %s quantizer of '%s'", what, layer);
    else if (w.n > 0)
        json_array_append_new(widened,
                              json_pack("{s:s,s:s,s:i,s:f,s:i}", "layer", layer, "quantizer", what,
                                        "scales", w.n, "smallest_scale", (double)w.smallest,
                                        "levels", (int)(w.smallest * most / SMALLEST_NORMAL)));
    return status;
}

ptq_status half_plan_round(qplan *plan, json_t **widened, ptq_error *err)
{
    json_t *list = json_array();
    ptq_status status = PTQ_OK;
    for (int i = 0; i < plan->n_entries && status == PTQ_OK; i++) {
        qplan_entry *e = &plan->entries[i];
        status = round_quantizer(&e->input, e->layer, "input", list, err);
        if (status == PTQ_OK)
            status = round_quantizer(&e->weight, e->layer, "weight", list, err);
    }
    for (int i = 0; i < plan->n_extras && status == PTQ_OK; i++)
        status = round_quantizer(&plan->extras[i].input, plan->extras[i].node, "input", list, err);
    if (status == PTQ_OK)
        *widened = list;
    else
        json_decref(list);
    return status;
}
