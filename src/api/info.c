/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq info`: what is in a model file, before and after fusing. */
#include <math.h>

#include "api/info_quant.h"
#include "api/model_handle.h"
#include "api/option_defaults.h"
#include "api/result.h"
#include "api/timing.h"
#include "base/mem.h"

void ptq_info_options_init(ptq_info_options *o)
{
    *o = (ptq_info_options){
        .image_size = 640, .target = "tensorrt10", .quantizers = quant_defaults()};
}

static json_t *port_json(const tensor *t)
{
    json_t *o = json_object();
    put_text(o, "name", t->name);
    put(o, "shape", shape_json(&t->shape));
    put_text(o, "dtype", dtype_name(t->type));
    return o;
}

static json_t *ops_json(const graph *g)
{
    json_t *o = json_object();
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (n->is_dead)
            continue;
        const char *name = graph_op_name(n->op);
        put_int(o, name, json_integer_value(json_object_get(o, name)) + 1);
    }
    return o;
}

static json_t *nodes_json(const graph *g)
{
    json_t *list = json_array();
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        const tensor *t = graph_tensor_const(g, n->outputs[0]);
        json_t *o = json_object();
        put_text(o, "name", n->name);
        put_text(o, "op", graph_op_name(n->op));
        put_text(o, "output", t->name);
        put(o, "shape", shape_json(&t->shape));
        json_array_append_new(list, o);
    }
    return list;
}

/* GFLOPs as model_info with thop counts them: 2 x (multiply-accumulates of convolutions + 4 x
 * elements that BatchNorm writes); spec model.md §7. */
static double gflops(const graph *g)
{
    double macs = graph_macs(g);
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        size_t count;
        if (n->op == GRAPH_OP_BATCH_NORM &&
            shape_count(&graph_tensor_const(g, n->outputs[0])->shape, &count))
            macs += 4 * (double)count;
    }
    return 2e-9 * macs;
}

static ptq_status at_shape(const graph *g, const shape *s, graph **out, ptq_error *err)
{
    graph *copy;
    PTQ_TRY(graph_copy(g, &copy, err));
    ptq_status status = graph_set_input_shape(copy, s, err);
    if (status != PTQ_OK) {
        graph_destroy(copy);
        return status;
    }
    *out = copy;
    return PTQ_OK;
}

static ptq_status forward(const graph *g, const tensor_view *input, const ptq_env *env, session **s,
                          ptq_error *err)
{
    session_request request = {.graph = g, .precision = PTQ_PRECISION_FP32};
    PTQ_TRY(api_session(&request, env, s, err));
    ptq_status status = session_run(*s, input, 1, err);
    if (status != PTQ_OK) {
        session_destroy(*s);
        *s = NULL;
    }
    return status;
}

static double output_difference(session *a, session *b)
{
    double worst = 0;
    for (int i = 0; i < graph_n_outputs(session_graph(a)); i++) {
        tensor_view x = engine_output(session_engine(a), i);
        tensor_view y = engine_output(session_engine(b), i);
        size_t count = 0;
        if (x.type != DTYPE_F32 || !shape_equal(&x.shape, &y.shape) ||
            !shape_count(&x.shape, &count))
            return NAN;
        for (size_t j = 0; j < count; j++) {
            double d = fabs((double)((float *)x.data)[j] - (double)((float *)y.data)[j]);
            worst = d > worst ? d : worst;
        }
    }
    return worst;
}

/* Largest difference between the outputs of the file's graph and the fused one, on a noise image.
 */
static ptq_status fused_difference(const ptq_model *m, const ptq_env *env, double *worst,
                                   ptq_error *err)
{
    int stride = m->file->stride > 0 ? m->file->stride : 32;
    shape s = model_input_shape(m, 1, 4 * stride);
    tensor_view input;
    PTQ_TRY(noise_input(&s, &input, err));
    session *before = NULL, *after = NULL;
    ptq_status status = forward(m->file->graph, &input, env, &before, err);
    if (status == PTQ_OK)
        status = forward(m->clean, &input, env, &after, err);
    if (status == PTQ_OK)
        *worst = output_difference(before, after);
    session_destroy(before);
    session_destroy(after);
    mem_free(input.data);
    return status;
}

static ptq_status describe_graphs(api_call *call, const ptq_model *m, const ptq_info_options *o,
                                  int size, ptq_error *err)
{
    graph *before = NULL, *after = NULL;
    shape s = model_input_shape(m, 1, size);
    ptq_status status = at_shape(m->file->graph, &s, &before, err);
    if (status == PTQ_OK)
        status = at_shape(m->clean, &s, &after, err);
    if (status == PTQ_OK) {
        json_t *inputs = json_array(), *outputs = json_array();
        for (int i = 0; i < graph_n_inputs(after); i++)
            json_array_append_new(inputs,
                                  port_json(graph_tensor_const(after, graph_input(after, i))));
        for (int i = 0; i < graph_n_outputs(after); i++)
            json_array_append_new(outputs,
                                  port_json(graph_tensor_const(after, graph_output(after, i))));
        put(call->result, "inputs", inputs);
        put(call->result, "outputs", outputs);
        put_real(call->result, "gflops", gflops(before));
        put_real(call->result, "gflops_fused", gflops(after));
        put(call->result, "ops", ops_json(after));
        put_int(call->result, "nodes_before", graph_n_nodes(before));
        put_int(call->result, "nodes_after", graph_n_nodes(after));
        if (o->nodes)
            put(call->result, "nodes", nodes_json(after));
    }
    graph_destroy(before);
    graph_destroy(after);
    return status;
}

static ptq_status describe(api_call *call, ptq_model *m, const ptq_info_options *o, ptq_error *err)
{
    const model *f = m->file;
    int size = model_image_size(m, o->image_size, &call->env);
    json_t *r = call->result;
    put_text(r, "format", f->format == MODEL_PT ? "pt" : "onnx");
    put_bool(r, "has_qdq", f->has_qdq);
    put_bool(r, "float16", f->is_half);
    if (f->has_nms)
        put(r, "nms",
            json_pack("{s:f,s:f,s:i}", "conf", (double)f->nms.conf, "iou", (double)f->nms.iou,
                      "max_det", f->nms.max_det));
    put_int(r, "layers", f->n_layers);
    put_int(r, "layers_fused", f->n_layers_fused);
    put_int(r, "parameters", f->n_parameters);
    put_int(r, "parameters_fused", f->n_parameters_fused);
    put_int(r, "classes", f->n_classes);
    put_int(r, "stride", f->stride);
    PTQ_TRY(describe_graphs(call, m, o, size, err));
    double worst = NAN;
    PTQ_TRY(fused_difference(m, &call->env, &worst, err));
    put_real(r, "fused_max_abs_diff", worst);
    if (o->quant)
        PTQ_TRY(info_quantizers(m, o, call, err));
    put_int(call->config, "imgsz", size);
    return PTQ_OK;
}

ptq_status ptq_info(ptq_model *m, const ptq_info_options *o, const ptq_env *env, ptq_result **out,
                    ptq_error *err)
{
    if (!m->file->graph)
        return error_set(err, PTQ_USAGE,
                         "'%s' was loaded without keep_unfused; ptq_info() needs it",
                         m->file->path);
    api_call call;
    PTQ_TRY(api_begin(&call, "info", env, err));
    ptq_status status = describe(&call, m, o, err);
    return api_end(&call, status, m->file, out, err);
}
