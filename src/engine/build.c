/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/plan.h"
#include "engine/schedule.h"

/* Makes room for one more of `size` bytes in a growing array. */
static bool reserve(void **items, int *cap, int n, size_t size)
{
    if (n < *cap)
        return true;
    int more = *cap ? 2 * *cap : 64;
    void *grown = mem_resize(*items, (size_t)more, size);
    if (!grown)
        return false;
    *items = grown;
    *cap = more;
    return true;
}

static ptq_status no_memory(builder *b)
{
    return error_no_memory(b->err, sizeof(step), "a program step");
}

static ptq_status add_buffer(builder *b, const buffer *made, int *out)
{
    engine *e = b->e;
    if (!reserve((void **)&e->buffers, &e->cap_buffers, e->n_buffers, sizeof *e->buffers))
        return no_memory(b);
    e->buffers[e->n_buffers] = *made;
    *out = e->n_buffers++;
    return PTQ_OK;
}

static ptq_status add_value(builder *b, const value *made, value_id *out)
{
    engine *e = b->e;
    if (!reserve((void **)&e->values, &e->cap_values, e->n_values, sizeof *e->values))
        return no_memory(b);
    e->values[e->n_values] = *made;
    *out = e->n_values++;
    return PTQ_OK;
}

/* Elements from the first to the last of `v`, both included; strides are not negative. */
static size_t extent(const view *v)
{
    int64_t last = 0;
    for (int i = 0; i < v->rank; i++) {
        if (v->dim[i] == 0)
            return 0;
        last += (v->dim[i] - 1) * v->stride[i];
    }
    return (size_t)last + 1;
}

/* A value with memory of its own: a constant when the node is computed now, else in the slab. */
static ptq_status new_value(builder *b, const view *v, value_id *out)
{
    buffer made = {.kind = BUFFER_SLAB, .first = -1, .last = -1};
    if (!mem_mul(extent(v), view_type_bytes(v->type), &made.bytes))
        return error_no_memory(b->err, SIZE_MAX, "a tensor");
    if (b->is_constant) {
        made.kind = BUFFER_CONST;
        made.constant = blob_create(made.bytes);
        if (!made.constant)
            return error_no_memory(b->err, made.bytes, "a constant");
    }
    value val = {.v = *v, .next = VALUE_NONE};
    ptq_status status = add_buffer(b, &made, &val.buffer);
    if (status != PTQ_OK) {
        blob_unref(&made.constant);
        return status;
    }
    return add_value(b, &val, out);
}

const view *build_view(const builder *b, value_id id)
{
    return &b->e->values[id].v;
}

view build_dense_view(const builder *b, tensor_id id)
{
    const tensor *t = graph_tensor_const(b->g, id);
    return view_dense(t->type, t->shape.rank, t->shape.dim);
}

ptq_status build_temporary(builder *b, const view *like, value_id *out)
{
    return new_value(b, like, out);
}

ptq_status build_part(builder *b, value_id whole, const view *part, int64_t offset_elements,
                      value_id *out)
{
    value val = b->e->values[whole];
    val.offset += (size_t)offset_elements * view_type_bytes(val.v.type);
    val.v = *part;
    val.next = VALUE_NONE;
    return add_value(b, &val, out);
}

ptq_status build_constant(builder *b, const view *dense, const void *data, value_id *out)
{
    size_t bytes = extent(dense) * view_type_bytes(dense->type);
    buffer made = {.kind = BUFFER_CONST, .bytes = bytes};
    made.constant = blob_copy_of(data, bytes);
    if (!made.constant)
        return error_no_memory(b->err, bytes, "a constant");
    value val = {.v = *dense, .next = VALUE_NONE};
    ptq_status status = add_buffer(b, &made, &val.buffer);
    if (status != PTQ_OK) {
        blob_unref(&made.constant);
        return status;
    }
    return add_value(b, &val, out);
}

/* Graph inputs and constants get their value when first asked for. */
static ptq_status first_value(builder *b, tensor_id id)
{
    const tensor *t = graph_tensor_const(b->g, id);
    buffer made = {.kind = BUFFER_INPUT, .first = -1, .last = -1, .input = -1};
    for (int i = 0; i < graph_n_inputs(b->g); i++)
        if (graph_input(b->g, i) == id)
            made.input = i;
    if (t->data) {
        made.kind = BUFFER_CONST;
        made.constant = blob_ref(t->data);
    } else if (made.input < 0) {
        return error_set(b->err, PTQ_INTERNAL, "tensor '%s' is used before it is computed",
                         t->name);
    }
    value val = {.v = build_dense_view(b, id), .next = VALUE_NONE};
    made.bytes = extent(&val.v) * view_type_bytes(val.v.type);
    ptq_status status = add_buffer(b, &made, &val.buffer);
    if (status != PTQ_OK) {
        blob_unref(&made.constant);
        return status;
    }
    return add_value(b, &val, &b->slots[id].first);
}

static bool has_layout(const view *v, layout want)
{
    return want == LAYOUT_ANY || (want == LAYOUT_DENSE && view_is_dense(v)) ||
           (want == LAYOUT_NHWC && view_is_nhwc(v, NULL)) ||
           (want == LAYOUT_PACKED && view_is_packed(v));
}

ptq_status build_input(builder *b, tensor_id id, layout want, dtype type, value_id *out)
{
    slot *s = &b->slots[id];
    if (s->first == VALUE_NONE)
        PTQ_TRY(first_value(b, id));
    for (value_id i = s->first; i != VALUE_NONE; i = b->e->values[i].next)
        if (build_view(b, i)->type == type && has_layout(build_view(b, i), want)) {
            *out = i;
            return PTQ_OK;
        }
    view v = build_dense_view(b, id);
    v.type = type;
    bool as_image = want >= LAYOUT_NHWC || (want == LAYOUT_ANY && s->is_image);
    if (as_image) {
        int64_t channels = v.dim[1];
        v = view_nhwc(type, v.dim, channels);
    }
    value_id made;
    PTQ_TRY(new_value(b, &v, &made));
    PTQ_TRY(build_copy(b, s->first, made));
    b->e->values[made].next = b->e->values[s->first].next;
    b->e->values[s->first].next = made;
    *out = made;
    return PTQ_OK;
}

ptq_status build_output(builder *b, tensor_id id, value_id *out)
{
    slot *s = &b->slots[id];
    if (s->first != VALUE_NONE) { /* a concatenation whose parts were there before */
        *out = s->first;
        return PTQ_OK;
    }
    view v = build_dense_view(b, id);
    if (s->whole == TENSOR_NONE || b->is_constant) {
        if (s->is_image) {
            int64_t channels = v.dim[1];
            v = view_nhwc(v.type, v.dim, channels);
        }
        PTQ_TRY(new_value(b, &v, &s->first));
    } else {
        value_id whole;
        PTQ_TRY(build_output(b, s->whole, &whole));
        const view *w = build_view(b, whole);
        view part = view_slice(w, s->axis, s->from, v.dim[s->axis]);
        int64_t offset = s->from * w->stride[s->axis];
        PTQ_TRY(build_part(b, whole, &part, offset, &s->first));
    }
    *out = s->first;
    return PTQ_OK;
}

ptq_status build_alias(builder *b, tensor_id id, value_id base, const view *v,
                       int64_t offset_elements)
{
    return build_part(b, base, v, offset_elements, &b->slots[id].first);
}

ptq_status build_constant_data(builder *b, tensor_id id, const char *what, const void **data)
{
    value_id id_value;
    dtype type = graph_tensor_const(b->g, id)->type;
    PTQ_TRY(build_input(b, id, LAYOUT_DENSE, type, &id_value));
    const value *val = &b->e->values[id_value];
    const buffer *buf = &b->e->buffers[val->buffer];
    if (buf->kind != BUFFER_CONST)
        return error_set(b->err, PTQ_UNSUPPORTED,
                         "the %s of node '%s' is computed at run time; only constants are "
                         "supported",
                         what, b->node->name);
    *data = (const char *)blob_data(buf->constant) + val->offset;
    return PTQ_OK;
}

static bool is_constant_value(const builder *b, value_id id)
{
    return b->e->buffers[b->e->values[id].buffer].kind == BUFFER_CONST;
}

/* Steps that move little are not worth waking other threads. */
static int parts_for(const builder *b, const kernel_request *r)
{
    enum { WORTH = 1 << 14 };
    int64_t work = view_count(build_view(b, r->operands[r->n - 1]));
    if (r->family == KERNEL_MATMUL || r->family == KERNEL_CONV_TRANSPOSE)
        work *= build_view(b, r->operands[0])->dim[1];
    int64_t parts = work / WORTH;
    return parts < 1 ? 1 : parts > b->options->threads ? b->options->threads : (int)parts;
}

static ptq_status add_step(builder *b, const step *made)
{
    engine *e = b->e;
    if (!reserve((void **)&e->steps, &e->cap_steps, e->n_steps, sizeof *e->steps))
        return no_memory(b);
    int at = e->n_steps;
    for (int i = 0; i < made->args.n; i++) {
        if (made->operand[i] == VALUE_NONE)
            continue;
        buffer *buf = &e->buffers[e->values[made->operand[i]].buffer];
        buf->is_used = true;
        buf->first = buf->first < 0 ? at : buf->first;
        buf->last = at;
    }
    if (made->scratch >= 0) {
        buffer *buf = &e->buffers[made->scratch];
        buf->is_used = true;
        buf->first = buf->last = at;
    }
    e->steps[e->n_steps++] = *made;
    return PTQ_OK;
}

static const char *precision_of(graph_op op, dtype type)
{
    switch (op) {
    case GRAPH_OP_CONCAT:
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_FLATTEN:
    case GRAPH_OP_TRANSPOSE:
    case GRAPH_OP_SPLIT:
    case GRAPH_OP_SLICE:
    case GRAPH_OP_GATHER:
    case GRAPH_OP_EXPAND:
    case GRAPH_OP_IDENTITY:
    case GRAPH_OP_SPACE_TO_DEPTH:
    case GRAPH_OP_YOLO_RAW:
        return "-";
    default:
        break;
    }
    return type == DTYPE_F32                      ? "fp32"
           : type == DTYPE_BF16                   ? "bf16"
           : type == DTYPE_F16                    ? "fp16"
           : type == DTYPE_I8 || type == DTYPE_U8 ? "int8"
                                                  : "-";
}

/* A kernel whose inputs are constants: run now, leaving no step. */
static ptq_status run_now(builder *b, step *s)
{
    for (int i = 0; i < s->args.n; i++)
        if (s->operand[i] != VALUE_NONE)
            s->args.t[i].data = value_data(b->e, s->operand[i]);
    s->n_parts = 1;
    return step_run(s, b->e->shared->pool, b->err);
}

ptq_status build_kernel(builder *b, const kernel_request *r)
{
    step s = {.op = b->node ? b->node->op : GRAPH_OP_IDENTITY, .scratch = -1};
    s.args.n = r->n;
    s.args.p = r->param;
    bool is_now = b->is_constant;
    for (int i = 0; i < r->n; i++) {
        s.operand[i] = r->operands[i];
        s.args.t[i] = r->views ? r->views[i] : *build_view(b, r->operands[i]);
        is_now = is_now && (r->operands[i] == VALUE_NONE || is_constant_value(b, r->operands[i]));
    }
    if (kernel_is_pointwise(r->family))
        view_coalesce(s.args.t, r->n);
    s.kernel = kernel_choose(r->family, &s.args, b->options->level);
    s.kernel_name = s.kernel->name;
    if (is_now)
        return run_now(b, &s);
    s.node = arena_strdup(b->e->names, b->node ? b->node->name : "output");
    if (!s.node)
        return no_memory(b);
    s.precision = precision_of(s.op, s.args.t[r->n - 1].type);
    s.n_parts = parts_for(b, r);
    return add_step(b, &s);
}

ptq_status build_copy(builder *b, value_id from, value_id to)
{
    value_id operands[] = {from, to};
    return build_kernel(b, &(kernel_request){.family = KERNEL_COPY, .operands = operands, .n = 2});
}

ptq_status build_conv(builder *b, conv *c, value_id src, value_id dst, const char *precision)
{
    engine *e = b->e;
    const char *info = c->impl->info(c);
    step s = {.op = b->node->op, .conv = c, .precision = precision, .scratch = -1};
    s.node = arena_strdup(e->names, b->node->name);
    s.kernel_name =
        arena_printf(e->names, "%s%s%s", c->impl->name, info ? " " : "", info ? info : "");
    if (!s.node || !s.kernel_name)
        return no_memory(b);
    s.args.n = 2;
    s.args.t[0] = *build_view(b, src);
    s.args.t[1] = *build_view(b, dst);
    s.operand[0] = src;
    s.operand[1] = dst;
    s.n_parts = c->n_parts;
    s.macs = (double)view_count(&c->desc.dst) * (double)conv_depth(&c->desc);
    if (c->scratch_bytes) {
        buffer scratch = {.kind = BUFFER_SLAB, .bytes = c->scratch_bytes};
        PTQ_TRY(add_buffer(b, &scratch, &s.scratch));
    }
    PTQ_TRY(add_step(b, &s));
    e->const_bytes += c->packed_bytes;
    return PTQ_OK;
}

ptq_status build_tail(builder *b, const kernel_request *r)
{
    engine *e = b->e;
    step s = e->steps[--e->n_steps];
    e->buffers[e->values[r->operands[0]].buffer].is_used = false;
    s.args = (kernel_args){.n = r->n, .p = r->param};
    for (int i = 0; i < r->n; i++)
        s.args.t[i] = *build_view(b, r->operands[i]);
    s.tail = kernel_choose(r->family, &s.args, b->options->level);
    s.args.t[0] = *build_view(b, s.operand[0]);
    for (int i = 1; i < r->n; i++)
        s.operand[i] = r->operands[i];
    s.kernel_name = arena_printf(e->names, "%s, %s", s.kernel_name, s.tail->name);
    if (!s.kernel_name)
        return no_memory(b);
    buffer pieces = {.kind = BUFFER_SLAB, .bytes = (size_t)s.n_parts * step_piece_bytes(&s)};
    PTQ_TRY(add_buffer(b, &pieces, &s.scratch));
    return add_step(b, &s);
}

/* Outputs and taps keep their buffers alive after the steps that use them. */
static void extend_lives(engine *e)
{
    for (int i = 0; i < e->n_outputs; i++) {
        buffer *buf = &e->buffers[e->values[e->outputs[i]].buffer];
        buf->is_used = true;
        buf->last = e->n_steps;
    }
    for (int i = 0; i < e->n_taps; i++) {
        buffer *buf = &e->buffers[e->values[e->taps[i].value].buffer];
        buf->is_used = true;
        if (buf->last < e->taps[i].after)
            buf->last = e->taps[i].after;
    }
}

static ptq_status plan_slab(builder *b)
{
    engine *e = b->e;
    plan_item *items = mem_array((size_t)e->n_buffers, sizeof *items);
    if (!items)
        return no_memory(b);
    int n = 0;
    for (int i = 0; i < e->n_buffers; i++) {
        const buffer *buf = &e->buffers[i];
        if (buf->kind == BUFFER_SLAB && buf->is_used)
            items[n++] = (plan_item){buf->bytes, buf->first, buf->last + SCHEDULE_OVERLAP, 0};
    }
    ptq_status status = plan_memory(items, n, &e->slab_bytes, b->err);
    n = 0;
    for (int i = 0; i < e->n_buffers && status == PTQ_OK; i++)
        if (e->buffers[i].kind == BUFFER_SLAB && e->buffers[i].is_used)
            e->buffers[i].offset = items[n++].offset;
    mem_free(items);
    if (status != PTQ_OK)
        return status;
    e->slab = mem_alloc_aligned(e->slab_bytes);
    if (!e->slab)
        return error_no_memory(b->err, e->slab_bytes, "the tensors");
    return PTQ_OK;
}

ptq_status build_finish(builder *b)
{
    engine *e = b->e;
    extend_lives(e);
    for (int i = 0; i < e->n_buffers; i++) {
        buffer *buf = &e->buffers[i];
        if (buf->kind == BUFFER_CONST && buf->is_used)
            e->const_bytes += buf->bytes;
        else if (buf->kind == BUFFER_CONST)
            blob_unref(&buf->constant);
    }
    PTQ_TRY(plan_slab(b));
    for (int i = 0; i < e->n_steps; i++) {
        step *s = &e->steps[i];
        for (int k = 0; k < s->args.n; k++) {
            value_id id = s->operand[k];
            if (id != VALUE_NONE && e->buffers[e->values[id].buffer].kind != BUFFER_INPUT)
                s->args.t[k].data = value_data(e, s->operand[k]);
        }
        if (s->scratch >= 0)
            s->scratch_data = e->slab + e->buffers[s->scratch].offset;
    }
    return schedule_make(e, b->err);
}
