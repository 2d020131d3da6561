/* SPDX-License-Identifier: Apache-2.0 */
#include "api/file_quantizers.h"

#include "base/mem.h"

static const node *producer_of(const graph *g, tensor_id id, graph_op op)
{
    node_id p = id == TENSOR_NONE ? NODE_NONE : graph_producer(g, id);
    const node *n = p == NODE_NONE ? NULL : graph_node_const(g, p);
    return n && n->op == op ? n : NULL;
}

/* Fills `q` when input `i` of node `id` is dequantized codes. */
static bool read_place(const graph *g, node_id id, int i, file_quantizer *q)
{
    const node *n = graph_node_const(g, id);
    const node *dq = producer_of(g, n->inputs[i], GRAPH_OP_DEQUANTIZE_LINEAR);
    if (n->is_dead || n->op == GRAPH_OP_QUANTIZE_LINEAR || !dq ||
        graph_tensor_const(g, dq->inputs[0])->type == DTYPE_I32)
        return false;
    const node *qn = producer_of(g, dq->inputs[0], GRAPH_OP_QUANTIZE_LINEAR);
    tensor_id from = qn ? qn->inputs[0] : dq->inputs[0];
    *q = (file_quantizer){.layer = id,
                          .input = i,
                          .is_weight = i == 1 && graph_is_const(g, from),
                          .dequantizer = graph_producer(g, n->inputs[i]),
                          .tensor = from};
    return true;
}

bool file_quantizer_next(const graph *g, bool first, file_quantizer *q)
{
    int input = first ? 0 : q->input + 1;
    for (int id = first ? 0 : (int)q->layer; id < graph_n_nodes(g); id++) {
        for (; input < graph_node_const(g, (node_id)id)->n_inputs; input++)
            if (read_place(g, (node_id)id, input, q))
                return true;
        input = 0;
    }
    return false;
}

int file_n_quantizers(const graph *g)
{
    file_quantizer q = {0};
    int n = 0;
    for (bool first = true; file_quantizer_next(g, first, &q); first = false)
        n++;
    return n;
}

/* The zero point of all values; 0 when there are several, or none. */
static int zero_point(const graph *g, const node *dq)
{
    size_t n = 0;
    if (dq->n_inputs < 3 || dq->inputs[2] == TENSOR_NONE)
        return 0;
    const tensor *zero = graph_tensor_const(g, dq->inputs[2]);
    if (!zero->data || !shape_count(&zero->shape, &n) || n != 1)
        return 0;
    const void *data = blob_data(zero->data);
    switch (zero->type) {
    case DTYPE_U8:
        return *(const uint8_t *)data;
    case DTYPE_I8:
        return *(const int8_t *)data;
    case DTYPE_U16:
        return *(const uint16_t *)data;
    case DTYPE_I16:
        return *(const int16_t *)data;
    default:
        return 0;
    }
}

ptq_status file_quantizer_ranges(const graph *g, const file_quantizer *q, quantizer *z,
                                 ptq_error *err)
{
    const node *dq = graph_node_const(g, q->dequantizer);
    const tensor *scale = graph_tensor_const(g, dq->inputs[1]);
    dtype codes = graph_tensor_const(g, dq->inputs[0])->type;
    size_t n = 0;
    if (!scale->data || scale->type != DTYPE_F32 || !shape_count(&scale->shape, &n) || n == 0)
        return error_set(err, PTQ_UNSUPPORTED, "the scale of '%s' is no float32 constant",
                         dq->name);
    bool is_unsigned = codes == DTYPE_U8 || codes == DTYPE_U16;
    int num_bits = codes == DTYPE_I16 || codes == DTYPE_U16 ? 16 : 8;
    int most = (1 << (num_bits - (is_unsigned ? 0 : 1))) - 1;
    int zero = zero_point(g, dq);
    *z = (quantizer){.enabled = true,
                     .num_bits = num_bits,
                     .is_unsigned = is_unsigned,
                     .axis = n > 1 ? dq->attr.axis.axis : -1,
                     .n_amax = (int)n,
                     .amax = mem_array(n, sizeof *z->amax)};
    if (!z->amax)
        return error_no_memory(err, n * sizeof *z->amax, "ranges");
    const float *scales = blob_data(scale->data);
    for (size_t i = 0; i < n; i++)
        z->amax[i] = scales[i] * (float)(most - zero);
    z->low = n == 1 ? -scales[0] * (float)zero : 0;
    return PTQ_OK;
}

ptq_status file_quantizer_read(const graph *g, int i, quantizer *z, ptq_quantizer_place *place,
                               ptq_error *err)
{
    file_quantizer q = {0};
    bool first = true;
    while (file_quantizer_next(g, first, &q) && i-- > 0)
        first = false;
    const node *n = graph_node_const(g, q.layer);
    *place =
        (ptq_quantizer_place){n->name, graph_op_name(n->op), graph_tensor_const(g, q.tensor)->name,
                              q.is_weight ? PTQ_WEIGHT : PTQ_INPUT + q.input};
    return file_quantizer_ranges(g, &q, z, err);
}
