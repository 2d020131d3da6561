/* SPDX-License-Identifier: Apache-2.0 */
/* An end-to-end tail, as the official export's for ONNX Runtime (spec onnx_export.md §2.3): the
 * best class of every box, classes kept apart by moving their boxes, one NonMaxSuppression, and a
 * row (image, x1, y1, x2, y2, class, score) per detection, best first within an image. */
#include "model/onnx_exporter.h"

#define NMS "nms"
/* YOLOv7 moves the boxes of class c by 4096 c pixels. */
#define CLASS_OFFSET 4096.0f

/* One node with one output; both have the name "nms/<what>". */
static const char *add(onnx_exporter *e, const char *op_type, const char *what, int n_inputs,
                       const char *const *inputs, onnx_node **made)
{
    const char *name = onnx_writer_name(e->w, NMS "/", what);
    onnx_node *n = onnx_writer_node(e->w, op_type, name, inputs, n_inputs, name);
    if (made)
        *made = n;
    return name;
}

static const char *ints(onnx_exporter *e, const char *what, int n, const int64_t *values)
{
    return onnx_writer_ints(e->w, NMS "/", what, n, values);
}

static const char *number(onnx_exporter *e, const char *what, float value)
{
    const shape one = {.rank = 1, .dim = {1}};
    return onnx_writer_floats(e->w, NMS "/", what, &one, &value);
}

/* Columns begin ... end of [B,N,C]. */
static const char *columns(onnx_exporter *e, const char *what, const char *x, int64_t begin,
                           int64_t end)
{
    const char *inputs[4] = {x, ints(e, "begin", 1, &begin), ints(e, "end", 1, &end),
                             ints(e, "axis", 1, (int64_t[]){2})};
    return add(e, "Slice", what, 4, inputs, NULL);
}

/* Centre and size -> corners. */
static const char *corners(onnx_exporter *e, const char *boxes)
{
    static const float matrix[16] = {1, 0, 1, 0, 0, 1, 0, 1, -0.5f, 0, 0.5f, 0, 0, -0.5f, 0, 0.5f};
    const shape s = {.rank = 2, .dim = {4, 4}};
    const char *m = onnx_writer_floats(e->w, NMS "/", "corners_of", &s, matrix);
    return add(e, "MatMul", "corners", 2, (const char *[]){boxes, m}, NULL);
}

/* Largest score of a row, and as float its class: [B,N,1] both. */
static const char *best_class(onnx_exporter *e, const char *scores, const char **cls)
{
    onnx_node *n;
    const char *best, *axes[2] = {scores, ""};
    if (onnx_writer_opset(e->w) >= 18) {
        axes[1] = ints(e, "axis", 1, (int64_t[]){2});
        best = add(e, "ReduceMax", "score", 2, axes, &n);
    } else {
        best = add(e, "ReduceMax", "score", 1, axes, &n);
        onnx_node_ints(e->w, n, "axes", 1, (int[]){2});
    }
    onnx_node_int(e->w, n, "keepdims", 1);
    const char *index = add(e, "ArgMax", "index", 1, &scores, &n);
    onnx_node_int(e->w, n, "axis", 2);
    onnx_node_int(e->w, n, "keepdims", 1);
    *cls = add(e, "Cast", "class", 1, &index, &n);
    onnx_node_int(e->w, n, "to", dtype_onnx(DTYPE_F32));
    return best;
}

/* [n,3] of NonMaxSuppression: image, 0, row. */
static const char *suppress(onnx_exporter *e, const char *xyxy, const char *best, const char *cls,
                            const nms_form *form)
{
    onnx_node *n;
    int64_t most = form->max_det;
    const char *offset = number(e, "class_offset", CLASS_OFFSET);
    offset = add(e, "Mul", "offset", 2, (const char *[]){cls, offset}, NULL);
    const char *apart = add(e, "Add", "apart", 2, (const char *[]){xyxy, offset}, NULL);
    const char *scores = add(e, "Transpose", "scores", 1, &best, &n);
    onnx_node_ints(e->w, n, "perm", 3, (int[]){0, 2, 1});
    const char *inputs[5] = {apart, scores, ints(e, "max_det", 1, &most),
                             number(e, "iou", form->iou), number(e, "conf", form->conf)};
    return add(e, "NonMaxSuppression", "selected", 5, inputs, NULL);
}

static const char *gather_columns(onnx_exporter *e, const char *what, const char *x, int n,
                                  const int64_t *which)
{
    onnx_node *gather;
    const char *inputs[2] = {x, ints(e, "columns", n, which)};
    const char *y = add(e, "Gather", what, 2, inputs, &gather);
    onnx_node_int(e->w, gather, "axis", 1);
    return y;
}

static void write_rows(onnx_exporter *e, const char *selected, const char *const *values,
                       const char *output)
{
    static const char *const names[3] = {"rows/box", "rows/class", "rows/score"};
    onnx_node *n;
    const char *parts[4];
    const char *at = gather_columns(e, "at", selected, 2, (int64_t[]){0, 2});
    const char *image = gather_columns(e, "image", selected, 1, (int64_t[]){0});
    parts[0] = add(e, "Cast", "rows/image", 1, &image, &n);
    onnx_node_int(e->w, n, "to", dtype_onnx(DTYPE_F32));
    for (int i = 0; i < 3; i++)
        parts[1 + i] = add(e, "GatherND", names[i], 2, (const char *[]){values[i], at}, NULL);
    n = onnx_writer_node(e->w, "Concat", output, parts, 4, output);
    onnx_node_int(e->w, n, "axis", 1);
}

ptq_status onnx_export_nms(onnx_exporter *e, const nms_form *form, ptq_error *err)
{
    const tensor *t = graph_tensor_const(e->g, graph_output(e->g, 0));
    if (graph_n_outputs(e->g) != 1 || t->shape.rank != 3 || t->shape.dim[2] < 6 ||
        t->shape.dim[1] <= t->shape.dim[2] || t->type != DTYPE_F32)
        return error_set(err, PTQ_UNSUPPORTED,
                         "output '%s' is not [N,rows,5+classes]: the end-to-end head needs decoded "
                         "boxes with objectness",
                         t->name);
    if (!(form->iou >= 0) || !(form->conf >= 0) || form->max_det < 1)
        return error_set(err, PTQ_USAGE, "conf %g, iou %g and %d detections are no settings",
                         (double)form->conf, (double)form->iou, form->max_det);
    int64_t n_columns = t->shape.dim[2];
    const char *x = onnx_export_tensor(e, graph_output(e->g, 0));
    const char *boxes = columns(e, "boxes", x, 0, 4), *objectness = columns(e, "object", x, 4, 5);
    const char *scores = objectness;
    if (n_columns > 6) {
        const char *classes = columns(e, "classes", x, 5, n_columns);
        scores = add(e, "Mul", "confidence", 2, (const char *[]){classes, objectness}, NULL);
    }
    const char *xyxy = corners(e, boxes), *cls;
    const char *best = best_class(e, scores, &cls);
    const char *selected = suppress(e, xyxy, best, cls, form);
    const char *output = onnx_writer_name(e->w, "detections", "");
    write_rows(e, selected, (const char *[]){xyxy, cls, best}, output);
    const shape rows = {.rank = 2, .dim = {-1, 7}};
    onnx_writer_port(e->w, ONNX_OUTPUT, output, DTYPE_F32, &rows, "detections");
    return PTQ_OK;
}
