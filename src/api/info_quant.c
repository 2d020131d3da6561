/* SPDX-License-Identifier: Apache-2.0 */
#include "api/info_quant.h"

#include <math.h>

#include "api/file_quantizers.h"
#include "api/quant_setup.h"
#include "base/mem.h"
#include "quant/fake_quant.h"
#include "quant/quant_plan.h"

/* What a file's pair of QuantizeLinear and DequantizeLinear amounts to. Of several ranges the
 * largest, and the smallest. */
static json_t *quantizer_json(const graph *g, const file_quantizer *q)
{
    quantizer z = {0};
    json_t *o = json_object();
    if (file_quantizer_ranges(g, q, &z, NULL) != PTQ_OK)
        return o;
    double highest = fake_quant_highest(z.num_bits, z.is_unsigned);
    float low = z.amax[0], high = z.amax[0];
    for (int i = 1; i < z.n_amax; i++) {
        low = fminf(low, z.amax[i]);
        high = fmaxf(high, z.amax[i]);
    }
    double step = ((double)high - (double)z.low) / highest;
    put_int(o, "num_bits", z.num_bits);
    put_bool(o, "unsigned", z.is_unsigned);
    put(o, "axis", z.n_amax > 1 ? json_integer(z.axis) : json_null());
    put_real(o, "amax", fmax((double)high, -(double)z.low));
    if (z.n_amax > 1)
        put_real(o, "amax_lowest", (double)low);
    put_real(o, "step_size", step);
    put_real(o, "scale", step); /* as ONNX calls it */
    if (z.low < 0)
        put_int(o, "zero_point", (int64_t)llrint(-(double)z.low / step));
    put_int(o, "n_scales", z.n_amax);
    mem_free(z.amax);
    return o;
}

static json_t *layer_json(const graph *g, const file_quantizer *q)
{
    const node *n = graph_node_const(g, q->layer);
    json_t *o = json_object();
    put_text(o, "layer", n->name);
    put_text(o, "op", graph_op_name(n->op));
    put(o, "input", json_null());
    put(o, "weight", json_null());
    return o;
}

/* One entry per layer, with the quantizers of input 0 and of the weight; further inputs have
 * entries of their own, with their number. */
static json_t *file_quantizers(const graph *g)
{
    json_t *list = json_array(), *entry = NULL;
    file_quantizer q = {0};
    node_id last = NODE_NONE;
    for (bool first = true; file_quantizer_next(g, first, &q); first = false) {
        bool is_main = q.input == 0 || q.is_weight;
        if (!entry || last != q.layer || !is_main) {
            entry = layer_json(g, &q);
            json_array_append_new(list, entry);
            if (!is_main)
                put_int(entry, "input_index", q.input);
        }
        last = q.layer;
        put_text(entry, q.is_weight ? "weight_tensor" : "tensor",
                 graph_tensor_const(g, q.tensor)->name);
        put(entry, q.is_weight ? "weight" : "input", quantizer_json(g, &q));
    }
    return list;
}

/* What the plan says of a point's quantizers beside their descriptors: the ranges. A plan has main
 * points as entries and then the others, each in the points' order. */
static void add_ranges(json_t *list, const json_t *plan, size_t n_entries)
{
    static const char *const roles[] = {"input", "weight"};
    size_t entry = 0, extra = n_entries;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *point = json_array_get(list, i);
        bool is_extra = json_object_get(point, "input_index") != NULL;
        const json_t *planned = json_array_get(plan, is_extra ? extra++ : entry++);
        for (int r = 0; r < 2; r++) {
            json_t *to = json_object_get(point, roles[r]),
                   *from = json_object_get(planned, roles[r]);
            if (json_is_object(to) && json_is_object(from))
                json_object_update(to, from);
        }
    }
}

/* The ranges of an earlier calibration, so that the tree shows them. */
static ptq_status read_ranges(const ptq_model *m, const char *path, quant_setup *s, json_t *list,
                              ptq_error *err)
{
    qplan plan;
    PTQ_TRY(ranges_read(path, &s->ranges, err));
    PTQ_TRY(quant_plan_build(m->clean, &s->points, s->ranges, &s->options, &plan, err));
    json_t *planned = quant_plan_write_json(m->clean, &plan);
    add_ranges(list, planned, (size_t)plan.n_entries);
    json_decref(planned);
    quant_plan_clear(&plan);
    return PTQ_OK;
}

ptq_status info_quantizers(const ptq_model *m, const ptq_info_options *o, api_call *call,
                           ptq_error *err)
{
    if (model_has_qdq(m)) {
        put(call->result, "quantizers", file_quantizers(m->clean));
        return PTQ_OK;
    }
    const quant_target *target = o->target ? quant_target_find(o->target) : NULL;
    if (o->target && !target)
        return error_set(err, PTQ_UNSUPPORTED, "target '%s' is not supported", o->target);
    if (o->quantizers.save_config)
        PTQ_TRY(check_output(o->quantizers.save_config, o->force, err));
    quant_setup s;
    PTQ_TRY(quant_setup_open(&s, m, &o->quantizers, target, err));
    json_t *list = quant_points_write_json(m->clean, &s.points);
    put(call->result, "quantizers", list);
    put(call->result, "kept", quant_points_write_kept(&s.points));
    ptq_status status = PTQ_OK;
    if (o->quantizers.calib_from)
        status = read_ranges(m, o->quantizers.calib_from, &s, list, err);
    if (status == PTQ_OK)
        status = quant_setup_report(&s, m, &o->quantizers, target, call, err);
    quant_setup_close(&s);
    return status;
}
