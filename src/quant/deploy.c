/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/deploy.h"

#include "quant/default_map.h"

/* Why the input quantizer of `p` cannot be written; NULL when it can. */
static const char *input_reason(const quant_point *p, const quant_target *t)
{
    const descriptor *d = &p->input_desc;
    if (p->input_axes)
        return "ranges per slice of an input: runtimes have one scale per activation";
    if (!d->if_quant)
        return t->on_codes ? "an input that is only clipped: this target computes on codes" : NULL;
    if (d->num_bits < 8)
        return "codes of fewer than 8 bits for an input: it would run as 8 bits all the same";
    if (d->num_bits > 8)
        return "codes of more than 8 bits for an input: convolutions compute on 8 bits";
    if (d->is_unsigned && !t->on_codes)
        return "unsigned codes: TensorRT takes signed int8 alone and refuses uint8";
    if ((d->narrow_range || d->if_clip) && t->on_codes)
        return "a narrow range: this target computes on whole 8-bit codes";
    return NULL;
}

static const char *weight_reason(const graph *g, const quant_point *p)
{
    const descriptor *d = &p->weight_desc;
    uint32_t channels = 1u << default_map_weight_axis(g, graph_node_const(g, p->node));
    if (!d->if_quant)
        return NULL;
    if (d->num_bits > 8)
        return "a weight of more than 8 bits: convolutions compute on 8 bits";
    if (d->is_unsigned)
        return "an unsigned weight: runtimes take signed int8 weights alone";
    if (p->weight_axes && p->weight_axes != channels)
        return "weight ranges along another axis than the output channels: integer sums could not "
               "be scaled afterwards";
    return NULL;
}

ptq_status deploy_check(const graph *g, const quant_points *points, const quant_target *target,
                        ptq_error *err)
{
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        const char *input = quant_point_has_input(p) ? input_reason(p, target) : NULL;
        const char *weight = quant_point_has_weight(p) ? weight_reason(g, p) : NULL;
        if (!input && !weight)
            continue;
        return error_set(err, PTQ_UNSUPPORTED,
                         "layer '%s' cannot be written for %s: its %s quantizer asks for %s; "
                         "change it in quant.yaml, or measure it without a file: --simulate",
                         p->layer, target->name, input ? "input" : "weight",
                         input ? input : weight);
    }
    return PTQ_OK;
}
