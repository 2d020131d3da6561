/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of ours that ONNX does not have, in the nodes that the official exports use for them.
 * Spec: onnx_export.md §2.2, model.md §3 and §5. */
#include <stdint.h>

#include "base/mem.h"
#include "model/onnx_exporter.h"

/* A node "<base>/<what>" with two inputs at most (NULL: none) and a fresh output. */
typedef struct step {
    const char *op_type;
    const char *what; /* "": the last step, named `base`, with the output `y` */
    const char *a, *b;
    const char *y;
} step;

static onnx_node *add_step(onnx_exporter *e, const char *base, const step *s, const char **y)
{
    bool is_last = !*s->what;
    const char *name = is_last ? base : onnx_writer_name(e->w, base, s->what);
    const char *out = is_last ? s->y : name;
    const char *inputs[2] = {s->a, s->b};
    if (y)
        *y = out;
    return onnx_writer_node(e->w, s->op_type, name, inputs, s->b ? 2 : 1, out);
}

static void add_hard_swish(onnx_exporter *e, const char *name, const char *x, const char *y)
{
    if (onnx_writer_opset(e->w) >= 14) {
        add_step(e, name, &(step){"HardSwish", "", x, NULL, y}, NULL);
        return;
    }
    const char *h;
    onnx_node *n = add_step(e, name, &(step){"HardSigmoid", "/hardsigmoid", x, NULL, NULL}, &h);
    onnx_node_float(e->w, n, "alpha", 1.0f / 6.0f);
    onnx_node_float(e->w, n, "beta", 0.5f);
    add_step(e, name, &(step){"Mul", "", x, h, y}, NULL);
}

void onnx_export_activation(onnx_exporter *e, const char *name, activation act, const char *x,
                            const char *y)
{
    onnx_node *n;
    const char *s;
    switch (act.kind) {
    case ACT_SILU:
        add_step(e, name, &(step){"Sigmoid", "/sigmoid", x, NULL, NULL}, &s);
        add_step(e, name, &(step){"Mul", "", x, s, y}, NULL);
        break;
    case ACT_RELU:
        add_step(e, name, &(step){"Relu", "", x, NULL, y}, NULL);
        break;
    case ACT_LEAKY_RELU:
        n = add_step(e, name, &(step){"LeakyRelu", "", x, NULL, y}, NULL);
        onnx_node_float(e->w, n, "alpha", act.alpha);
        break;
    case ACT_SIGMOID:
        add_step(e, name, &(step){"Sigmoid", "", x, NULL, y}, NULL);
        break;
    case ACT_HARD_SWISH:
        add_hard_swish(e, name, x, y);
        break;
    case ACT_TANH:
        add_step(e, name, &(step){"Tanh", "", x, NULL, y}, NULL);
        break;
    case ACT_NONE:
        add_step(e, name, &(step){"Identity", "", x, NULL, y}, NULL);
        break;
    }
}

/* Block dx*block+dy of the output channels is x[:, :, dy::block, dx::block] (YOLOv7's ReOrg). */
void onnx_export_space_to_depth(onnx_exporter *e, const node *n)
{
    int block = n->attr.space.block, n_parts = block * block;
    const char *x = onnx_export_tensor(e, n->inputs[0]);
    const char *ends =
        onnx_writer_ints(e->w, n->name, "/ends", 2, (int64_t[]){INT64_MAX, INT64_MAX});
    const char *axes = onnx_writer_ints(e->w, n->name, "/axes", 2, (int64_t[]){2, 3});
    const char *steps = onnx_writer_ints(e->w, n->name, "/steps", 2, (int64_t[]){block, block});
    for (int i = 0; i < n_parts; i++) {
        int64_t start[2] = {i % block, i / block};
        const char *starts = onnx_writer_ints(e->w, n->name, "/starts", 2, start);
        const char *inputs[5] = {x, starts, ends, axes, steps};
        const char *y = onnx_writer_name(e->w, n->name, "/slice");
        onnx_writer_node(e->w, "Slice", y, inputs, 5, y);
        e->list[i] = y;
    }
    onnx_node *concat = onnx_writer_node(e->w, "Concat", n->name, e->list, n_parts,
                                         onnx_export_tensor(e, n->outputs[0]));
    onnx_node_int(e->w, concat, "axis", 1);
}

static onnx_node *add_transpose(onnx_exporter *e, const char *base, const step *s, int rank,
                                const int *perm, const char **y)
{
    onnx_node *t = add_step(e, base, s, y);
    onnx_node_ints(e->w, t, "perm", rank, perm);
    return t;
}

static bool is_pointwise(const conv_attr *a)
{
    return a->kernel[0] == 1 && a->kernel[1] == 1 && a->stride[0] == 1 && a->stride[1] == 1 &&
           !a->pad[0] && !a->pad[1] && !a->pad[2] && !a->pad[3] && a->groups == 1 &&
           a->act.kind == ACT_NONE;
}

static bool is_own_float(const graph *g, tensor_id id)
{
    const tensor *t = graph_tensor_const(g, id);
    return t->data && t->type == DTYPE_F32 && graph_consumers(g, id, NULL, 0) == 1;
}

bool onnx_is_head_product(const onnx_exporter *e, const node *n)
{
    node_id reader;
    if (n->op != GRAPH_OP_CONV || e->half || !is_pointwise(&n->attr.conv) ||
        !is_own_float(e->g, n->inputs[1]) || graph_is_output(e->g, n->outputs[0]) ||
        graph_consumers(e->g, n->outputs[0], &reader, 1) != 1)
        return false;
    const node *decode = graph_node_const(e->g, reader);
    return decode->op == GRAPH_OP_YOLO_DECODE && decode->attr.decode.pixels_first;
}

/* [N,C,H,W] -> [N,H,W,C] times [C,M], plus [M] -> [N,M,H,W]: runtimes whose convolutions have
 * channels last turn nothing of it. */
void onnx_export_head_product(onnx_exporter *e, const node *n)
{
    static const int channels_last[4] = {0, 2, 3, 1}, channels_first[4] = {0, 3, 1, 2};
    const tensor *w = graph_tensor_const(e->g, n->inputs[1]);
    const char *weight = e->names[n->inputs[1]], *x = onnx_export_tensor(e, n->inputs[0]);
    onnx_writer_turned(e->w, weight, (size_t)w->shape.dim[0], (size_t)w->shape.dim[1],
                       blob_data(w->data));
    add_transpose(e, n->name, &(step){"Transpose", "/channels_last", x, NULL, NULL}, 4,
                  channels_last, &x);
    add_step(e, n->name, &(step){"MatMul", "/product", x, weight, NULL}, &x);
    if (n->n_inputs > 2 && n->inputs[2] != TENSOR_NONE)
        add_step(e, n->name, &(step){"Add", "/sum", x, onnx_export_tensor(e, n->inputs[2]), NULL},
                 &x);
    const char *y = onnx_export_tensor(e, n->outputs[0]);
    add_transpose(e, n->name, &(step){"Transpose", "", x, NULL, y}, 4, channels_first, NULL);
}

/* [B, na*no, ny, nx] -> [B, na, ny, nx, no], ending in the step `last`. A 0 in Reshape copies the
 * dimension, so that the batch may be open. */
static const char *add_rows(onnx_exporter *e, const node *n, step last)
{
    static const int to_rows[5] = {0, 1, 3, 4, 2};
    const shape *s = &graph_tensor_const(e->g, n->inputs[0])->shape;
    int64_t na = n->attr.decode.n_anchors, no = n->attr.decode.n_values;
    int64_t target[5] = {0, na, no, s->dim[2], s->dim[3]};
    const char *to = onnx_writer_ints(e->w, n->name, "/view", 5, target);
    const char *x = onnx_export_tensor(e, n->inputs[0]), *rows;
    add_step(e, n->name, &(step){"Reshape", "/reshape", x, to, NULL}, &last.a);
    add_transpose(e, n->name, &last, 5, to_rows, &rows);
    return rows;
}

/* [B, na*no, ny, nx] -> [B, ny*nx, na, no]: what channels-last memory holds already. */
static const char *add_pixels(onnx_exporter *e, const node *n)
{
    static const int channels_last[4] = {0, 2, 3, 1};
    const shape *s = &graph_tensor_const(e->g, n->inputs[0])->shape;
    int64_t na = n->attr.decode.n_anchors, no = n->attr.decode.n_values;
    int64_t target[4] = {0, s->dim[2] * s->dim[3], na, no};
    const char *to = onnx_writer_ints(e->w, n->name, "/view", 4, target);
    const char *x = onnx_export_tensor(e, n->inputs[0]);
    add_transpose(e, n->name, &(step){"Transpose", "/transpose", x, NULL, NULL}, 4, channels_last,
                  &x);
    add_step(e, n->name, &(step){"Reshape", "/reshape", x, to, NULL}, &x);
    return x;
}

void onnx_export_yolo_raw(onnx_exporter *e, const node *n)
{
    add_rows(e, n, (step){"Transpose", "", NULL, NULL, onnx_export_tensor(e, n->outputs[0])});
}

/* stride * (cell - 0.5), x first: added to 2*stride*sigmoid. */
static ptq_status add_grid(onnx_exporter *e, const node *n, const char **grid, ptq_error *err)
{
    const shape *s = &graph_tensor_const(e->g, n->inputs[0])->shape;
    int64_t ny = s->dim[2], nx = s->dim[3];
    shape g = n->attr.decode.pixels_first ? shape_make(4, (const int64_t[]){1, ny * nx, 1, 2})
                                          : shape_make(5, (const int64_t[]){1, 1, ny, nx, 2});
    float *values = mem_array((size_t)(ny * nx), 2 * sizeof *values);
    if (!values)
        return error_no_memory(err, (size_t)(ny * nx) * 2 * sizeof *values, "a grid");
    for (int64_t i = 0; i < ny * nx; i++) {
        values[2 * i] = n->attr.decode.stride * ((float)(i % nx) - 0.5f);
        values[2 * i + 1] = n->attr.decode.stride * ((float)(i / nx) - 0.5f);
    }
    *grid = onnx_export_floats(e, n->name, "/grid", &g, values);
    mem_free(values);
    return PTQ_OK;
}

/* 4 * anchor: times sigmoid squared. */
static ptq_status add_anchors(onnx_exporter *e, const node *n, const char **anchors, ptq_error *err)
{
    enum { MAX_ANCHORS = 64 };
    int na = n->attr.decode.n_anchors;
    const tensor *t = graph_tensor_const(e->g, n->inputs[1]);
    if (!t->data || t->type != DTYPE_F32 || na > MAX_ANCHORS)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (%s) has no constant anchors, or more than %d", n->name,
                         graph_op_name(n->op), MAX_ANCHORS);
    float values[2 * MAX_ANCHORS];
    for (int i = 0; i < 2 * na; i++)
        values[i] = 4.0f * ((const float *)blob_data(t->data))[i];
    shape s = n->attr.decode.pixels_first ? shape_make(4, (const int64_t[]){1, 1, na, 2})
                                          : shape_make(5, (const int64_t[]){1, na, 1, 1, 2});
    *anchors = onnx_export_floats(e, n->name, "/anchors", &s, values);
    return PTQ_OK;
}

/* xy = sigmoid * 2*stride + grid; wh = sigmoid^2 * 4*anchor; the rest as it is. */
ptq_status onnx_export_yolo_decode(onnx_exporter *e, const node *n, ptq_error *err)
{
    onnx_writer *w = e->w;
    static const int anchors_first[4] = {0, 2, 1, 3};
    const char *rows, *s, *xy, *wh, *rest, *all, *grid = NULL, *anchors = NULL;
    int axis = n->attr.decode.pixels_first ? 3 : 4;
    shape scalar = {.rank = 0};
    float twice = 2.0f * n->attr.decode.stride;
    int64_t parts[3] = {2, 2, n->attr.decode.n_values - 4};
    PTQ_TRY(add_grid(e, n, &grid, err));
    PTQ_TRY(add_anchors(e, n, &anchors, err));
    rows = n->attr.decode.pixels_first
               ? add_pixels(e, n)
               : add_rows(e, n, (step){"Transpose", "/transpose", NULL, NULL, NULL});
    add_step(e, n->name, &(step){"Sigmoid", "/sigmoid", rows, NULL, NULL}, &s);
    const char *lengths = onnx_writer_ints(w, n->name, "/parts", 3, parts);
    onnx_node *split = add_step(e, n->name, &(step){"Split", "/xy", s, lengths, NULL}, &xy);
    wh = onnx_writer_name(w, n->name, "/wh");
    rest = onnx_writer_name(w, n->name, "/rest");
    onnx_node_output(w, split, wh);
    onnx_node_output(w, split, rest);
    onnx_node_int(w, split, "axis", axis);
    const char *two_strides = onnx_export_floats(e, n->name, "/stride", &scalar, &twice);
    add_step(e, n->name, &(step){"Mul", "/xy/scaled", xy, two_strides, NULL}, &xy);
    add_step(e, n->name, &(step){"Add", "/xy/moved", xy, grid, NULL}, &xy);
    add_step(e, n->name, &(step){"Mul", "/wh/squared", wh, wh, NULL}, &wh);
    add_step(e, n->name, &(step){"Mul", "/wh/scaled", wh, anchors, NULL}, &wh);
    all = onnx_writer_name(w, n->name, "/concat");
    onnx_node *concat = onnx_writer_node(w, "Concat", all, (const char *[]){xy, wh, rest}, 3, all);
    onnx_node_int(w, concat, "axis", axis);
    if (n->attr.decode.pixels_first)
        add_transpose(e, n->name, &(step){"Transpose", "/anchors_first", all, NULL, NULL}, 4,
                      anchors_first, &all);
    int64_t flat[3] = {0, -1, n->attr.decode.n_values};
    const char *to = onnx_writer_ints(w, n->name, "/rows", 3, flat);
    const char *y = onnx_export_tensor(e, n->outputs[0]);
    add_step(e, n->name, &(step){"Reshape", "", all, to, y}, NULL);
    return PTQ_OK;
}
