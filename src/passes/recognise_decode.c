/* SPDX-License-Identifier: Apache-2.0 */
/* The decode of a YOLOv5/v7 head that exports spell out in a dozen nodes per level becomes one
 * YOLO_DECODE, which reads the head's convolution as it lies in memory. Spec: model.md §5, §6.
 *
 * Matched from its end: Reshape(Concat(xy, wh, rest)) with xy, wh and rest parts of one
 * Split(Sigmoid(Transpose(Reshape(raw)))), xy any chain of multiplications by a number and one
 * addition of the grid, wh the same with one squaring and the anchors. Our files for onnxruntime
 * have the anchors behind the pixels until the end: Reshape(Transpose(Concat(xy, wh, rest))) and
 * Split(Sigmoid(Reshape(Transpose(raw)))). Every constant is compared with what the decode would
 * compute; what differs stays as it is. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct head {
    tensor_id raw;    /* [B, na*no, ny, nx] */
    tensor_id xy, wh; /* the parts after Split */
    int64_t na, no, ny, nx;
    bool pixels_first; /* [B, ny*nx, na, no] instead of [B, na, ny, nx, no] */
    float stride;
    float *anchors; /* na*2, owned */
} head;

/* A chain of elementwise nodes between a part and the Concat, as seen from its end. */
typedef struct chain {
    double factor; /* of everything before the array */
    double inner;  /* of what is squared */
    bool squared;
    const float *array;  /* the grid (added) or the anchors (multiplied) */
    double array_factor; /* what multiplies the grid later */
} chain;

static bool is_square(const graph *g, const node *n)
{
    if (n->op == GRAPH_OP_MUL)
        return n->inputs[0] == n->inputs[1];
    const float *power = n->op == GRAPH_OP_POW ? const_floats(g, n->inputs[1], 1) : NULL;
    return power && *power == 2.0f;
}

/* Walks from `id` back to `part`. `n_array` is the size of the one array allowed, which is added
 * (the grid) or multiplied (the anchors). */
static bool chain_read(const graph *g, tensor_id id, tensor_id part, size_t n_array,
                       graph_op array_op, chain *c)
{
    enum { MAX_STEPS = 6 };
    *c = (chain){.factor = 1, .inner = 1};
    for (int i = 0; i < MAX_STEPS && id != part; i++) {
        node_id p = graph_producer(g, id);
        if (p == NODE_NONE || sole_consumer(g, id) == NODE_NONE)
            return false;
        const node *n = graph_node_const(g, p);
        tensor_id constant;
        if (is_square(g, n) && !c->squared) {
            c->squared = true;
            id = n->inputs[0];
            continue;
        }
        if ((n->op != GRAPH_OP_MUL && n->op != GRAPH_OP_ADD) ||
            !split_operands(g, n, &id, &constant))
            return false;
        const float *number = const_floats(g, constant, 1);
        const float *array = const_floats(g, constant, n_array);
        if (number && n->op == GRAPH_OP_MUL) {
            *(c->squared ? &c->inner : &c->factor) *= (double)*number;
        } else if (array && n->op == array_op && !c->array && !c->squared) {
            c->array = array;
            c->array_factor = c->factor;
        } else {
            return false;
        }
    }
    return id == part && c->array;
}

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance;
}

/* xy = 2*stride*s + stride*(cell - 0.5). The tolerance is a thousandth of a cell. */
static bool read_xy(const graph *g, tensor_id id, head *h)
{
    chain c;
    size_t cells = (size_t)(h->ny * h->nx);
    if (!chain_read(g, id, h->xy, 2 * cells, GRAPH_OP_ADD, &c) || c.squared || !(c.factor > 0))
        return false;
    double stride = c.factor / 2;
    for (size_t i = 0; i < cells; i++) {
        double x = (double)(i % (size_t)h->nx), y = (double)(i / (size_t)h->nx);
        if (!near(c.array_factor * (double)c.array[2 * i], stride * (x - 0.5), 1e-3 * stride) ||
            !near(c.array_factor * (double)c.array[2 * i + 1], stride * (y - 0.5), 1e-3 * stride))
            return false;
    }
    h->stride = (float)stride;
    return true;
}

/* wh = (2s)^2 * anchor. */
static bool read_wh(const graph *g, tensor_id id, head *h)
{
    chain c;
    size_t n = (size_t)h->na * 2;
    if (!chain_read(g, id, h->wh, n, GRAPH_OP_MUL, &c) || !c.squared)
        return false;
    h->anchors = mem_array(n, sizeof *h->anchors);
    for (size_t i = 0; h->anchors && i < n; i++)
        h->anchors[i] = (float)(c.factor * c.inner * c.inner * (double)c.array[i] / 4);
    return h->anchors != NULL;
}

/* The target of a Reshape; false when it is no constant of that many numbers. */
static bool reshape_target(const graph *g, const node *n, int rank, int64_t *target)
{
    if (!graph_is_const(g, n->inputs[1]))
        return false;
    const tensor *t = graph_tensor_const(g, n->inputs[1]);
    if (t->type != DTYPE_I64 || const_count(g, n->inputs[1]) != (size_t)rank)
        return false;
    memcpy(target, blob_data(t->data), (size_t)rank * sizeof *target);
    return true;
}

static const node *step_back(const graph *g, tensor_id id, graph_op op)
{
    node_id p = producer_if(g, id, op);
    return p == NODE_NONE || sole_consumer(g, id) == NODE_NONE ? NULL : graph_node_const(g, p);
}

/* Transpose(Reshape(raw)) that ends in `rows`. */
static bool read_rows(const graph *g, tensor_id rows, head *h)
{
    static const int to_rows[5] = {0, 1, 3, 4, 2};
    const node *turn = step_back(g, rows, GRAPH_OP_TRANSPOSE);
    const node *view = turn ? step_back(g, turn->inputs[0], GRAPH_OP_RESHAPE) : NULL;
    int64_t target[5];
    if (!view || !node_turns(turn, 5, to_rows) || !reshape_target(g, view, 5, target))
        return false;
    *h = (head){
        .raw = view->inputs[0], .na = target[1], .no = target[2], .ny = target[3], .nx = target[4]};
    return true;
}

/* Reshape(Transpose(raw)) that ends in `rows`. */
static bool read_pixels(const graph *g, tensor_id rows, head *h)
{
    static const int channels_last[4] = {0, 2, 3, 1};
    const node *view = step_back(g, rows, GRAPH_OP_RESHAPE);
    const node *turn = view ? step_back(g, view->inputs[0], GRAPH_OP_TRANSPOSE) : NULL;
    int64_t target[4];
    if (!turn || !node_turns(turn, 4, channels_last) || !reshape_target(g, view, 4, target))
        return false;
    const shape *raw = &graph_tensor_const(g, turn->inputs[0])->shape;
    *h = (head){.raw = turn->inputs[0], .na = target[2], .no = target[3], .pixels_first = true};
    h->ny = raw->dim[2];
    h->nx = raw->dim[3];
    return raw->rank == 4 && target[1] == h->ny * h->nx;
}

static bool is_last_axis(const node *n, const head *h)
{
    int axis = n->attr.axis.axis;
    return axis == -1 || axis == (h->pixels_first ? 3 : 4);
}

static bool is_pair(const graph *g, tensor_id id, const head *h)
{
    const shape *s = &graph_tensor_const(g, id)->shape;
    int last = h->pixels_first ? 3 : 4;
    return s->rank == last + 1 && s->dim[last] == 2;
}

/* Split(Sigmoid(rows)) above the third part. */
static bool read_front(const graph *g, const node *concat, bool pixels_first, head *h)
{
    const node *split = step_back(g, concat->inputs[2], GRAPH_OP_SPLIT);
    if (!split || split->n_outputs != 3 || split->outputs[2] != concat->inputs[2])
        return false;
    const node *sigmoid = step_back(g, split->inputs[0], GRAPH_OP_SIGMOID);
    if (!sigmoid || !(pixels_first ? read_pixels : read_rows)(g, sigmoid->inputs[0], h))
        return false;
    h->xy = split->outputs[0];
    h->wh = split->outputs[1];
    bool sizes = h->na > 0 && h->na < 64 && h->no > 5 && h->no < 1 << 16 && h->ny > 0 &&
                 h->ny < 1 << 14 && h->nx > 0 && h->nx < 1 << 14;
    return sizes && is_last_axis(split, h) && is_last_axis(concat, h) && is_pair(g, h->xy, h) &&
           is_pair(g, h->wh, h);
}

/* Whether the Reshape `id` ends a decode; h->anchors is set then. */
static bool head_read(const graph *g, node_id id, head *h)
{
    static const int anchors_first[4] = {0, 2, 1, 3};
    const node *end = graph_node_const(g, id);
    int64_t rows[3];
    if (end->is_dead || end->op != GRAPH_OP_RESHAPE || !reshape_target(g, end, 3, rows))
        return false;
    const node *turn = step_back(g, end->inputs[0], GRAPH_OP_TRANSPOSE);
    if (turn && !node_turns(turn, 4, anchors_first))
        return false;
    const node *concat = step_back(g, (turn ? turn : end)->inputs[0], GRAPH_OP_CONCAT);
    if (!concat || concat->n_inputs != 3 || !read_front(g, concat, turn != NULL, h))
        return false;
    return rows[2] == h->no && (rows[1] == -1 || rows[1] == h->na * h->ny * h->nx) &&
           read_xy(g, concat->inputs[0], h) && read_wh(g, concat->inputs[1], h);
}

/* The Reshape becomes the decode where it stands, so that the order of the file stays. */
static ptq_status replace(graph *g, node_id id, const head *h, ptq_error *err)
{
    tensor_id anchors;
    shape s = shape_make(2, (const int64_t[]){h->na, 2});
    const char *name = name_with_suffix(g, graph_node_const(g, id)->name, ".anchors");
    if (!name)
        return error_no_memory(err, 0, "a name");
    PTQ_TRY(graph_add_const_copy(g, name, DTYPE_F32, &s, h->anchors, &anchors, err));
    node *end = graph_node(g, id); /* it has two inputs already */
    end->op = GRAPH_OP_YOLO_DECODE;
    end->inputs[0] = h->raw;
    end->inputs[1] = anchors;
    end->attr = (op_attr){.decode = {(int)h->na, (int)h->no, h->stride, h->pixels_first}};
    return PTQ_OK;
}

void pass_decode_pixels_first(graph *g)
{
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++)
        if (graph_node(g, (node_id)i)->op == GRAPH_OP_YOLO_DECODE)
            graph_node(g, (node_id)i)->attr.decode.pixels_first = true;
}

ptq_status pass_recognise_decode(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        head h = {0};
        ptq_status status = PTQ_OK;
        if (head_read(g, (node_id)i, &h))
            status = replace(g, (node_id)i, &h, err);
        mem_free(h.anchors);
        PTQ_TRY(status);
    }
    return graph_prune(g, err);
}
