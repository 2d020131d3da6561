/* SPDX-License-Identifier: Apache-2.0 */
/* Float16 files: which name a tensor has for a node that computes in float16, and for one that
 * computes in float32. The graph itself knows float32 only. */
#include <math.h>

#include "base/mem.h"
#include "model/onnx_exporter.h"

struct half_names {
    bool *is_tail;       /* per node */
    bool *is_half;       /* per tensor: made, or for a constant written first, in float16 */
    bool *is_other_made; /* per tensor: the other type is in the file, too */
    const char **other;  /* per tensor: its name in the other type */
    bool is_on;
};

static ptq_status check_constant(const onnx_exporter *e, tensor_id id, ptq_error *err)
{
    const float most = 65504;
    size_t n = 0;
    const tensor *t = id == TENSOR_NONE ? NULL : graph_tensor_const(e->g, id);
    if (!t || !t->data || t->type != DTYPE_F32 || !shape_count(&t->shape, &n))
        return PTQ_OK;
    const float *values = blob_data(t->data);
    for (size_t i = 0; i < n; i++)
        if (fabsf(values[i]) > most && !isinf(values[i]))
            return error_set(err, PTQ_UNSUPPORTED,
                             "constant '%s' holds %g, and float16 ends at 65504; the model cannot "
                             "run in 16 bit",
                             t->name, (double)values[i]);
    return PTQ_OK;
}

ptq_status half_open(onnx_exporter *e, ptq_error *err)
{
    size_t n = (size_t)graph_n_tensors(e->g), n_nodes = (size_t)graph_n_nodes(e->g);
    half_names *h = e->half = mem_zalloc(sizeof *h);
    if (!h)
        return error_no_memory(err, sizeof *h, "an ONNX file");
    h->is_tail = mem_array(n_nodes, sizeof *h->is_tail);
    h->is_half = mem_array(n, sizeof *h->is_half);
    h->is_other_made = mem_array(n, sizeof *h->is_other_made);
    h->other = mem_array(n, sizeof *h->other);
    if (!h->is_tail || !h->is_half || !h->is_other_made || !h->other)
        return error_no_memory(err, n * sizeof *h->other, "an ONNX file");
    PTQ_TRY(graph_mark_tail(e->g, h->is_tail, err));
    for (node_id i = 0; i < n_nodes; i++) {
        const node *made = graph_node_const(e->g, i);
        for (int k = 0; k < made->n_outputs; k++)
            h->is_half[made->outputs[k]] = !h->is_tail[i];
        for (int k = 0; k < made->n_inputs && !h->is_tail[i]; k++)
            PTQ_TRY(check_constant(e, made->inputs[k], err));
    }
    return PTQ_OK;
}

void half_close(onnx_exporter *e)
{
    if (!e->half)
        return;
    mem_free(e->half->is_tail);
    mem_free(e->half->is_half);
    mem_free(e->half->is_other_made);
    mem_free(e->half->other);
    mem_free(e->half);
    e->half = NULL;
}

void half_enter(onnx_exporter *e, node_id id)
{
    if (e->half)
        e->half->is_on = id != NODE_NONE && !e->half->is_tail[id];
}

bool half_is_on(const onnx_exporter *e)
{
    return e->half && e->half->is_on;
}

void half_name_output(onnx_exporter *e, tensor_id id, const char *wanted)
{
    half_names *h = e->half;
    if (!h->is_half[id] || graph_tensor_const(e->g, id)->type != DTYPE_F32)
        return;
    h->other[id] = onnx_writer_name(e->w, wanted, "");
    e->names[id] = onnx_writer_name(e->w, wanted, "_f16");
}

static void write_constant(onnx_exporter *e, tensor_id id, const char *name)
{
    const tensor *t = graph_tensor_const(e->g, id);
    if (e->half->is_on)
        onnx_writer_halves(e->w, name, &t->shape, blob_data(t->data));
    else
        onnx_writer_tensor(e->w, name, DTYPE_F32, &t->shape, blob_data(t->data));
}

static void write_other(onnx_exporter *e, tensor_id id)
{
    half_names *h = e->half;
    if (!h->other[id])
        h->other[id] = onnx_writer_name(e->w, e->names[id], h->is_on ? "_f16" : "_f32");
    h->is_other_made[id] = true;
    if (graph_tensor_const(e->g, id)->data) {
        write_constant(e, id, h->other[id]);
        return;
    }
    onnx_node *cast = onnx_writer_node(e->w, "Cast", h->other[id], &e->names[id], 1, h->other[id]);
    onnx_node_int(e->w, cast, "to", dtype_onnx(h->is_on ? DTYPE_F16 : DTYPE_F32));
}

const char *half_tensor(onnx_exporter *e, tensor_id id)
{
    half_names *h = e->half;
    bool is_const = graph_tensor_const(e->g, id)->data != NULL;
    if (is_const && !e->is_written[id]) {
        e->is_written[id] = true;
        h->is_half[id] = h->is_on;
        write_constant(e, id, e->names[id]);
    }
    if (h->is_half[id] == h->is_on)
        return e->names[id];
    if (!h->is_other_made[id])
        write_other(e, id);
    return h->other[id];
}
