/* SPDX-License-Identifier: Apache-2.0 */
/* graph -> .onnx. The same graph and options give the same bytes. Operators are written in
 * onnx_export_ops.c, those that ONNX spells out in onnx_export_lower.c. */
#include <inttypes.h>

#include "base/mem.h"
#include "model/model.h"
#include "model/onnx_exporter.h"
#include "model/onnx_file.h"

enum { MIN_OPSET = 13, MAX_OPSET = 21 };

const char *onnx_export_tensor(onnx_exporter *e, tensor_id id)
{
    if (id == TENSOR_NONE)
        return "";
    const tensor *t = graph_tensor_const(e->g, id);
    if (e->half && t->type == DTYPE_F32)
        return half_tensor(e, id);
    if (t->data && !e->is_written[id]) {
        e->is_written[id] = true;
        onnx_writer_tensor(e->w, e->names[id], t->type, &t->shape, blob_data(t->data));
    }
    return e->names[id];
}

const char *onnx_export_floats(onnx_exporter *e, const char *base, const char *suffix,
                               const shape *s, const float *values)
{
    if (!half_is_on(e))
        return onnx_writer_floats(e->w, base, suffix, s, values);
    const char *name = onnx_writer_name(e->w, base, suffix);
    onnx_writer_halves(e->w, name, s, values);
    return name;
}

dtype onnx_export_type(const onnx_exporter *e, dtype t)
{
    return t == DTYPE_F32 && half_is_on(e) ? DTYPE_F16 : t;
}

onnx_node *onnx_export_same(onnx_exporter *e, const node *n, const char *op_type)
{
    for (int i = 0; i < n->n_inputs; i++)
        e->list[i] = onnx_export_tensor(e, n->inputs[i]);
    return onnx_writer_node(e->w, op_type, n->name, e->list, n->n_inputs,
                            onnx_export_tensor(e, n->outputs[0]));
}

/* ---- the head ---- */

/* The decoding with the smallest stride from `least` on, NODE_NONE at the end. */
static node_id next_decode(const graph *g, float least, node_id after)
{
    node_id best = NODE_NONE;
    for (node_id i = 0; i < (node_id)graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, i);
        if (n->is_dead || n->op != GRAPH_OP_YOLO_DECODE)
            continue;
        float s = n->attr.decode.stride;
        bool is_left = s > least || (s == least && (after == NODE_NONE || i > after));
        if (is_left && (best == NODE_NONE || s < graph_node_const(g, best)->attr.decode.stride))
            best = i;
    }
    return best;
}

/* One output per level, finest first, in place of the decoded ones. */
static ptq_status open_head(graph *g, ptq_error *err)
{
    float stride = 0;
    int n_levels = 0;
    graph_clear_outputs(g);
    for (node_id i = NODE_NONE; (i = next_decode(g, stride, i)) != NODE_NONE; n_levels++) {
        node n = *graph_node(g, i);
        stride = n.attr.decode.stride;
        tensor_id y;
        PTQ_TRY(
            graph_add_op(g, GRAPH_OP_YOLO_RAW, n.name, 1, n.inputs, &n.attr, "output", &y, err));
        PTQ_TRY(graph_add_output(g, y, err));
    }
    if (n_levels == 0)
        return error_set(err, PTQ_UNSUPPORTED,
                         "the graph has no YOLO head to open; a raw head is written from a "
                         "checkpoint");
    return PTQ_OK;
}

/* ---- shapes ---- */

static ptq_status set_shape(graph *g, const onnx_export_options *o, int64_t batch, ptq_error *err)
{
    const tensor *in = graph_tensor(g, graph_input(g, 0));
    if (in->shape.rank != 4)
        return error_set(err, PTQ_SHAPE, "input '%s' is not [N,C,H,W]", in->name);
    shape s = shape4(batch, in->shape.dim[1], o->image_size, o->image_size);
    if (s.dim[1] < 1)
        s.dim[1] = 3;
    return graph_set_input_shape(g, &s, err);
}

/* An open batch is real only when the outputs follow it: tried with two images. */
static ptq_status check_open_batch(graph *g, const onnx_export_options *o, ptq_error *err)
{
    ptq_status status = set_shape(g, o, 2, err);
    for (int i = 0; i < graph_n_outputs(g) && status == PTQ_OK; i++) {
        const tensor *t = graph_tensor(g, graph_output(g, i));
        if (t->shape.rank < 1 || t->shape.dim[0] != 2)
            status = error_set(err, PTQ_SHAPE, "output '%s' does not follow it", t->name);
    }
    if (status != PTQ_OK)
        error_context(err, "the batch cannot be left open");
    return status;
}

static ptq_status prepare(graph *g, const onnx_export_options *o, ptq_error *err)
{
    if (graph_n_inputs(g) < 1 || graph_n_outputs(g) < 1)
        return error_set(err, PTQ_FORMAT, "the graph has no input or no output");
    if (o->head == HEAD_RAW)
        PTQ_TRY(open_head(g, err));
    PTQ_TRY(graph_prune(g, err));
    if (o->image_size > 0) {
        if (o->batch < 0)
            PTQ_TRY(check_open_batch(g, o, err));
        PTQ_TRY(set_shape(g, o, o->batch < 0 ? 1 : o->batch, err));
    }
    for (int i = 0; i < graph_n_outputs(g); i++) {
        const tensor *t = graph_tensor(g, graph_output(g, i));
        if (!shape_known(&t->shape))
            return error_set(err, PTQ_SHAPE, "the shape of output '%s' is not known; give a size",
                             t->name);
    }
    return PTQ_OK;
}

/* ---- names ---- */

static void name_tensor(onnx_exporter *e, tensor_id id, const char *wanted)
{
    if (id != TENSOR_NONE && !e->names[id])
        e->names[id] = onnx_writer_name(e->w, wanted, "");
}

/* Inputs and outputs first: they must have their names. */
static ptq_status name_tensors(onnx_exporter *e, const onnx_export_options *o, ptq_error *err)
{
    const graph *g = e->g;
    int most = 64; /* SpaceToDepth's parts */
    for (int i = 0; i < graph_n_inputs(g); i++)
        name_tensor(e, graph_input(g, i), graph_tensor_const(g, graph_input(g, i))->name);
    for (int i = 0; i < graph_n_outputs(g); i++) {
        tensor_id id = graph_output(g, i);
        const char *wanted = o->head == HEAD_RAW ? "output" : graph_tensor_const(g, id)->name;
        if (e->half && !e->names[id])
            half_name_output(e, id, wanted);
        name_tensor(e, id, wanted);
    }
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] != TENSOR_NONE)
                name_tensor(e, n->inputs[k], graph_tensor_const(g, n->inputs[k])->name);
        for (int k = 0; k < n->n_outputs; k++)
            name_tensor(e, n->outputs[k], graph_tensor_const(g, n->outputs[k])->name);
        most = n->n_inputs > most ? n->n_inputs : most;
    }
    e->list = mem_array((size_t)most + 4, sizeof *e->list); /* and parameters that become inputs */
    return e->list ? PTQ_OK : error_no_memory(err, (size_t)most, "names");
}

/* ---- the file ---- */

static void write_port(onnx_exporter *e, onnx_port port, tensor_id id)
{
    const tensor *t = graph_tensor_const(e->g, id);
    shape s = t->shape;
    if (e->batch_is_open && s.rank > 0)
        s.dim[0] = -1;
    onnx_writer_port(e->w, port, onnx_export_tensor(e, id), t->type, &s, "batch");
}

static ptq_status write_graph(onnx_exporter *e, const onnx_export_options *o, ptq_error *err)
{
    const graph *g = e->g;
    if (o->half)
        PTQ_TRY(half_open(e, err));
    PTQ_TRY(name_tensors(e, o, err));
    half_enter(e, NODE_NONE);
    for (int i = 0; i < graph_n_inputs(g); i++)
        write_port(e, ONNX_INPUT, graph_input(g, i));
    for (int i = 0; i < graph_n_nodes(g); i++) {
        half_enter(e, (node_id)i);
        PTQ_TRY(onnx_export_node(e, graph_node_const(g, (node_id)i), err));
    }
    half_enter(e, NODE_NONE);
    if (o->head == HEAD_NMS)
        PTQ_TRY(onnx_export_nms(e, &o->nms, err));
    for (int i = 0; o->head != HEAD_NMS && i < graph_n_outputs(g); i++)
        write_port(e, ONNX_OUTPUT, graph_output(g, i));
    if (o->head == HEAD_NMS)
        onnx_writer_metadata(e->w, "head", "nms");
    for (const char *const *p = o->metadata; p && p[0] && p[1]; p += 2)
        onnx_writer_metadata(e->w, p[0], p[1]);
    return PTQ_OK;
}

static ptq_status write_file(const graph *g, const char *path, const onnx_export_options *o,
                             int *n_nodes, ptq_error *err)
{
    size_t n = (size_t)graph_n_tensors(g);
    onnx_exporter e = {.g = g, .batch_is_open = o->image_size > 0 && o->batch < 0};
    e.w = onnx_writer_create(o->opset);
    e.names = mem_array(n, sizeof *e.names);
    e.is_written = mem_array(n, sizeof *e.is_written);
    ptq_status status = e.w && e.names && e.is_written ? write_graph(&e, o, err)
                                                       : error_no_memory(err, n, "an ONNX file");
    if (status == PTQ_OK)
        status = onnx_writer_save(e.w, path, o->external_data ? 0 : INT32_MAX, err);
    if (status == PTQ_OK && n_nodes)
        *n_nodes = onnx_writer_n_nodes(e.w);
    half_close(&e);
    onnx_writer_destroy(e.w);
    mem_free(e.names);
    mem_free(e.is_written);
    mem_free(e.list);
    return status;
}

ptq_status onnx_export(const graph *g, const char *path, const onnx_export_options *options,
                       int *n_nodes, ptq_error *err)
{
    graph *copy = NULL;
    if (options->opset < MIN_OPSET || options->opset > MAX_OPSET)
        return error_set(err, PTQ_USAGE, "cannot write ONNX opset %d; give one of %d to %d",
                         options->opset, MIN_OPSET, MAX_OPSET);
    if (options->image_size > 0 && (options->batch == 0 || options->batch < -1))
        return error_set(err, PTQ_USAGE, "a batch of %" PRId64 " is impossible", options->batch);
    PTQ_TRY(graph_copy(g, &copy, err));
    ptq_status status = prepare(copy, options, err);
    if (status == PTQ_OK)
        status = write_file(copy, path, options, n_nodes, err);
    if (status != PTQ_OK)
        error_context(err, "cannot export '%s'", path);
    graph_destroy(copy);
    return status;
}
