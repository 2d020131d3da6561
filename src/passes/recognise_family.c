/* SPDX-License-Identifier: Apache-2.0 */
/* Which family a detector is of: from the shape of its output, and from what stands between that
 * and the last convolutions. */
#include "base/mem.h"
#include "passes/passes.h"

static const detector_form forms[] = {
    [DETECTOR_YOLOV7] = {.family = DETECTOR_YOLOV7},
    [DETECTOR_YOLOX] = {.family = DETECTOR_YOLOX,
                        .is_bgr = true,
                        .is_bytes = true,
                        .at_corner = true},
    [DETECTOR_YOLOV8] = {.family = DETECTOR_YOLOV8, .answer = DETECTOR_COLUMNS},
};

/* The output's shape and how many cells the image has, at the graph's own size or at one of ours.
 */
typedef struct outline {
    shape output;
    int64_t cells;
} outline;

static bool measure(const graph *g, outline *out)
{
    const shape *image = &graph_tensor_const(g, graph_input(g, 0))->shape;
    const tensor *t = graph_tensor_const(g, graph_output(g, 0));
    if (image->rank != 4 || image->dim[2] < 32 || image->dim[3] < 32 || !shape_known(&t->shape))
        return false;
    *out = (outline){.output = t->shape};
    for (int64_t s = 8; s <= 32; s *= 2)
        out->cells += (image->dim[2] / s) * (image->dim[3] / s);
    return t->type == DTYPE_F32 && t->shape.rank == 3;
}

static bool find_outline(const graph *g, outline *out)
{
    enum { SIZE = 640 };
    graph *sized;
    if (graph_n_inputs(g) != 1 || graph_n_outputs(g) < 1)
        return false;
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    if (!input->is_dynamic)
        return measure(g, out);
    shape s = input->shape;
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] < 0)
            s.dim[i] = i == 0 ? 1 : i == 1 ? 3 : SIZE;
    if (graph_copy(g, &sized, NULL) != PTQ_OK)
        return false;
    bool found = pass_fix_input_shape(sized, &s, NULL) == PTQ_OK && measure(sized, out);
    graph_destroy(sized);
    return found;
}

typedef enum tail_kind { TAIL_MOVES, TAIL_COMPUTES, TAIL_HAS_EXP } tail_kind;

static tail_kind kind_of(const node *n)
{
    switch (n->op) {
    case GRAPH_OP_EXP:
        return TAIL_HAS_EXP;
    case GRAPH_OP_CONCAT:
    case GRAPH_OP_SIGMOID:
    case GRAPH_OP_QUANTIZE_LINEAR:
    case GRAPH_OP_DEQUANTIZE_LINEAR:
        return TAIL_MOVES;
    default:
        return node_moves_values(n) ? TAIL_MOVES : TAIL_COMPUTES;
    }
}

static bool has_weight(const node *n)
{
    return n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_CONV_TRANSPOSE || n->op == GRAPH_OP_GEMM ||
           n->op == GRAPH_OP_MATMUL;
}

/* What is done between the last convolutions and output 0; nodes stand in execution order. */
static ptq_status look_at_tail(const graph *g, tail_kind *out, ptq_error *err)
{
    bool *is_wanted = mem_array((size_t)graph_n_tensors(g), sizeof *is_wanted);
    if (!is_wanted)
        return error_no_memory(err, (size_t)graph_n_tensors(g), "the end of the graph");
    is_wanted[graph_output(g, 0)] = true;
    *out = TAIL_MOVES;
    for (int i = graph_n_nodes(g) - 1; i >= 0; i--) {
        const node *n = graph_node_const(g, (node_id)i);
        bool is_in = false;
        for (int k = 0; k < n->n_outputs; k++)
            is_in = is_in || is_wanted[n->outputs[k]];
        if (n->is_dead || !is_in || has_weight(n))
            continue;
        tail_kind kind = kind_of(n);
        *out = kind > *out ? kind : *out;
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] != TENSOR_NONE)
                is_wanted[n->inputs[k]] = true;
    }
    mem_free(is_wanted);
    return PTQ_OK;
}

/* YOLOX and YOLOv8 have one box per cell, YOLOv5 and YOLOv7 three. YOLOv6 has one, too, in pixels,
 * but takes no exponential. */
static ptq_status recognise(const graph *g, const outline *o, detector_form *form, ptq_error *err)
{
    tail_kind tail = TAIL_COMPUTES;
    *form = forms[DETECTOR_YOLOV7];
    if (o->output.dim[2] == o->cells && o->output.dim[1] > 4 && o->output.dim[1] < o->cells)
        *form = forms[DETECTOR_YOLOV8];
    if (o->output.dim[1] != o->cells || o->output.dim[2] < 6)
        return PTQ_OK;
    PTQ_TRY(look_at_tail(g, &tail, err));
    if (tail == TAIL_COMPUTES)
        return PTQ_OK;
    *form = forms[DETECTOR_YOLOX];
    form->answer = tail == TAIL_MOVES ? DETECTOR_CELLS : DETECTOR_ROWS;
    return PTQ_OK;
}

ptq_status pass_recognise_family(graph *g, detector_family family, ptq_error *err)
{
    static const char *const names[] = {"", "yolov7", "yolox", "yolov8"};
    outline o = {0};
    detector_form form = forms[DETECTOR_YOLOV7];
    char text[128];
    if (family != DETECTOR_YOLOV7 && find_outline(g, &o))
        PTQ_TRY(recognise(g, &o, &form, err));
    if (family != DETECTOR_AUTO && form.family != family)
        return error_set(
            err, PTQ_SHAPE,
            "its output %s is not that of the family %s; leave --family out to have it "
            "recognised",
            o.output.rank ? shape_text(&o.output, text) : "has no known shape and", names[family]);
    graph_set_detector(g, &form);
    return PTQ_OK;
}

ptq_status pass_append_detections(graph *g, ptq_error *err)
{
    tensor_id rows;
    if (graph_detector(g)->answer == DETECTOR_ROWS || graph_n_outputs(g) < 1)
        return PTQ_OK;
    const tensor_id inputs[2] = {graph_output(g, 0), graph_input(g, 0)};
    PTQ_TRY(graph_add_op(g, GRAPH_OP_DETECTIONS, graph_unique_name(g, "detections"), 2, inputs,
                         NULL, NULL, &rows, err));
    graph_clear_outputs(g);
    return graph_add_output(g, rows, err);
}
