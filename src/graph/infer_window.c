/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of operators that slide a window: convolutions, pools; and Resize. */
#include <inttypes.h>
#include <math.h>

#include "graph/graph_impl.h"
#include "graph/infer_rules.h"

typedef struct window {
    int kernel, stride, dilation, pad_begin, pad_end;
    bool ceil_mode;
} window;

static ptq_status window_check(const window *w, ptq_error *err)
{
    enum { MAX = 1 << 15 };
    bool good = w->kernel > 0 && w->kernel < MAX && w->stride > 0 && w->stride < MAX &&
                w->dilation > 0 && w->dilation < MAX && w->pad_begin >= 0 && w->pad_begin < MAX &&
                w->pad_end >= 0 && w->pad_end < MAX;
    if (!good)
        return error_set(err, PTQ_SHAPE,
                         "kernel %d, stride %d, dilation %d, pads %d and %d make no window",
                         w->kernel, w->stride, w->dilation, w->pad_begin, w->pad_end);
    return PTQ_OK;
}

static ptq_status window_out(const window *w, int64_t in, int64_t *out, ptq_error *err)
{
    PTQ_TRY(window_check(w, err));
    int64_t covered = (int64_t)w->dilation * (w->kernel - 1) + 1;
    int64_t room = in + w->pad_begin + w->pad_end - covered;
    if (in < 1 || room < 0)
        return error_set(err, PTQ_SHAPE,
                         "a window of %" PRId64 " does not fit %" PRId64 " padded pixels", covered,
                         in + w->pad_begin + w->pad_end);
    int64_t n = room / w->stride + 1;
    if (w->ceil_mode && room % w->stride) {
        n++;
        if ((n - 1) * w->stride >= in + w->pad_begin) /* no window may begin in the end padding */
            n--;
    }
    *out = n;
    return PTQ_OK;
}

static window conv_window(const conv_attr *p, int i)
{
    return (window){p->kernel[i], p->stride[i], p->dilation[i], p->pad[i], p->pad[i + 2], false};
}

ptq_status infer_conv(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = &g->tensors[n->inputs[0]].shape;
    const shape *w = &g->tensors[n->inputs[1]].shape;
    const conv_attr *p = &n->attr.conv;
    char tx[128], tw[128];
    bool fits = x->rank == 4 && w->rank == 4 && p->groups > 0 &&
                w->dim[1] * p->groups == x->dim[1] && w->dim[0] % p->groups == 0 &&
                w->dim[2] == p->kernel[0] && w->dim[3] == p->kernel[1];
    if (!fits)
        return error_set(err, PTQ_SHAPE, "input %s, weight %s and %d groups do not fit",
                         shape_text(x, tx), shape_text(w, tw), p->groups);
    int bias = n->op == GRAPH_OP_QCONV ? 3 : 2;
    if (n->n_inputs > bias && n->inputs[bias] != TENSOR_NONE) {
        const shape *b = &g->tensors[n->inputs[bias]].shape;
        if (b->rank != 1 || b->dim[0] != w->dim[0])
            return error_set(err, PTQ_SHAPE, "the bias does not have one value per output channel");
    }
    shape s = shape4(x->dim[0], w->dim[0], 0, 0);
    for (int i = 0; i < 2; i++) {
        window v = conv_window(p, i);
        PTQ_TRY(window_out(&v, x->dim[2 + i], &s.dim[2 + i], err));
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_conv_transpose(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = &g->tensors[n->inputs[0]].shape;
    const shape *w = &g->tensors[n->inputs[1]].shape;
    const conv_attr *p = &n->attr.conv;
    char tx[128], tw[128];
    bool fits = x->rank == 4 && w->rank == 4 && p->groups > 0 && w->dim[0] == x->dim[1] &&
                w->dim[0] % p->groups == 0 && w->dim[2] == p->kernel[0] &&
                w->dim[3] == p->kernel[1];
    if (!fits)
        return error_set(err, PTQ_SHAPE, "input %s, weight %s and %d groups do not fit",
                         shape_text(x, tx), shape_text(w, tw), p->groups);
    shape s = shape4(x->dim[0], w->dim[1] * p->groups, 0, 0);
    for (int i = 0; i < 2; i++) {
        window v = conv_window(p, i);
        PTQ_TRY(window_check(&v, err));
        s.dim[2 + i] = (x->dim[2 + i] - 1) * v.stride + (int64_t)v.dilation * (v.kernel - 1) + 1 -
                       v.pad_begin - v.pad_end + p->output_pad[i];
        if (x->dim[2 + i] < 1 || s.dim[2 + i] < 1)
            return error_set(err, PTQ_SHAPE, "the output has no pixels");
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_pool(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = &g->tensors[n->inputs[0]].shape;
    const pool_attr *p = &n->attr.pool;
    if (x->rank != 4)
        return error_set(err, PTQ_SHAPE, "only pooling of [N,C,H,W] is supported");
    shape s = *x;
    for (int i = 0; i < 2; i++) {
        window v = {p->kernel[i], p->stride[i],  p->dilation[i],
                    p->pad[i],    p->pad[i + 2], p->ceil_mode};
        PTQ_TRY(window_out(&v, x->dim[2 + i], &s.dim[2 + i], err));
    }
    out->shape[0] = s;
    if (out->n > 1) {
        out->shape[1] = s;
        out->type[1] = DTYPE_I64;
    }
    return PTQ_OK;
}

ptq_status infer_resize(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = &g->tensors[n->inputs[0]].shape;
    const resize_attr *p = &n->attr.resize;
    if (x->rank != 4)
        return error_set(err, PTQ_SHAPE, "only resizing of [N,C,H,W] is supported");
    shape s = *x;
    for (int i = 0; i < 2; i++) {
        double size = p->size[i] > 0 ? (double)p->size[i]
                                     : floor((double)x->dim[2 + i] * (double)p->scale[i]);
        if (!(size >= 1 && size <= (double)(1 << 24)))
            return error_set(err, PTQ_SHAPE, "the resized image has an impossible size");
        s.dim[2 + i] = (int64_t)size;
    }
    out->shape[0] = s;
    return PTQ_OK;
}
