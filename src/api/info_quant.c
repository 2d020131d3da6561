/* SPDX-License-Identifier: Apache-2.0 */
#include "api/info_quant.h"

#include <math.h>

#include "api/result.h"
#include "quant/points.h"

/* The zero point of all values, 0 when there are several. */
static int zero_point(const graph *g, const node *dq)
{
    size_t n = 0;
    if (dq->n_inputs < 3 || dq->inputs[2] == TENSOR_NONE)
        return 0;
    const tensor *zero = graph_tensor_const(g, dq->inputs[2]);
    if (!zero->data || !shape_count(&zero->shape, &n) || n != 1)
        return 0;
    const void *data = blob_data(zero->data);
    return zero->type == DTYPE_U8   ? *(const uint8_t *)data
           : zero->type == DTYPE_I8 ? *(const int8_t *)data
                                    : 0;
}

/* What a file's QuantizeLinear/DequantizeLinear pair amounts to. */
static json_t *file_quantizer(const graph *g, const node *dq)
{
    const tensor *scale = graph_tensor_const(g, dq->inputs[1]);
    size_t n = 0;
    json_t *o = json_object();
    if (!scale->data || scale->type != DTYPE_F32 || !shape_count(&scale->shape, &n) || n == 0)
        return o;
    bool is_signed = graph_tensor_const(g, dq->inputs[0])->type == DTYPE_I8;
    const float *scales = blob_data(scale->data);
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, scales[i]);
    int zero = zero_point(g, dq), most = is_signed ? 127 : 255;
    put_int(o, "num_bits", 8);
    put_bool(o, "unsigned", !is_signed);
    put(o, "axis", n > 1 ? json_integer(dq->attr.axis.axis) : json_null());
    put_real(o, "amax", (double)largest * (is_signed || zero < most - zero ? most - zero : zero));
    put_real(o, "scale", (double)largest);
    if (zero)
        put_int(o, "zero_point", zero);
    put_int(o, "n_scales", (int64_t)n);
    return o;
}

static const node *dequantizer(const graph *g, tensor_id id)
{
    node_id p = graph_producer(g, id);
    if (p == NODE_NONE || graph_node_const(g, p)->op != GRAPH_OP_DEQUANTIZE_LINEAR)
        return NULL;
    return graph_node_const(g, p);
}

static json_t *file_quantizers(const graph *g)
{
    json_t *list = json_array();
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        const node *input = dequantizer(g, n->inputs[0]);
        if (n->is_dead || !input || n->op == GRAPH_OP_QUANTIZE_LINEAR)
            continue;
        const node *weight = n->n_inputs > 1 ? dequantizer(g, n->inputs[1]) : NULL;
        json_t *o = json_object();
        put_text(o, "layer", n->name);
        put_text(o, "op", graph_op_name(n->op));
        put(o, "input", file_quantizer(g, input));
        put(o, "weight", weight ? file_quantizer(g, weight) : json_null());
        json_array_append_new(list, o);
    }
    return list;
}

ptq_status info_quantizers(const ptq_model *m, json_t *result, ptq_error *err)
{
    if (m->file->has_qdq) {
        put(result, "quantizers", file_quantizers(m->clean));
        return PTQ_OK;
    }
    quant_config *config;
    PTQ_TRY(quant_config_load(NULL, &config, err));
    quant_options options;
    quant_options_init(&options);
    quant_points points = {0};
    ptq_status status = quant_points_find(m->clean, config, &options, &points, err);
    if (status == PTQ_OK) {
        put(result, "quantizers", quant_points_write_json(m->clean, &points));
        put(result, "kept", quant_points_write_kept(&points));
    }
    quant_points_clear(&points);
    quant_config_destroy(config);
    return status;
}
