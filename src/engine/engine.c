/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/build.h"
#include "engine/plan.h"
#include "engine/program.h"

static ptq_status create_shared(int threads, engine_shared **out, ptq_error *err)
{
    engine_shared *s = mem_zalloc(sizeof *s);
    if (!s)
        return error_no_memory(err, sizeof *s, "an engine");
    s->n_refs = 1;
    s->pool = pool_create(threads);
    if (!s->pool) {
        mem_free(s);
        return error_no_memory(err, 0, "threads");
    }
    pthread_mutex_init(&s->preparing, NULL);
    *out = s;
    return PTQ_OK;
}

static engine_shared *home_of(engine_shared *s)
{
    return s->home ? s->home : s;
}

ptq_status engine_shared_create(int threads, cpu_level level, engine_shared **out, ptq_error *err)
{
    engine_shared *s = NULL;
    PTQ_TRY(create_shared(threads, &s, err));
    ptq_status status = conv_context_create(level, s->pool, &s->convs, err);
    if (status != PTQ_OK) {
        engine_shared_unref(s);
        return status;
    }
    *out = s;
    return PTQ_OK;
}

ptq_status engine_shared_create_beside(engine_shared *home, int threads, engine_shared **out,
                                       ptq_error *err)
{
    PTQ_TRY(create_shared(threads, out, err));
    (*out)->home = home;
    (*out)->convs = home->convs;
    home->n_refs++;
    return PTQ_OK;
}

void engine_shared_unref(engine_shared *s)
{
    if (!s || --s->n_refs > 0)
        return;
    if (s->home)
        engine_shared_unref(s->home);
    else
        conv_context_destroy(s->convs);
    pthread_mutex_destroy(&s->preparing);
    pool_destroy(s->pool);
    mem_free(s);
}

void engine_destroy(engine *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->n_steps; i++)
        conv_destroy(e->steps[i].conv);
    for (int i = 0; i < e->n_buffers; i++)
        blob_unref(&e->buffers[i].constant);
    engine_shared_unref(e->shared);
    mem_free(e->buffers);
    mem_free(e->values);
    mem_free(e->steps);
    mem_free(e->tasks);
    mem_free(e->needs);
    mem_free(e->group_end);
    mem_free(e->marks);
    mem_free(e->slab);
    mem_free(e->inputs);
    mem_free(e->outputs);
    mem_free(e->output_shapes);
    mem_free(e->taps);
    arena_destroy(e->names);
    mem_free(e);
}

static ptq_status check_shapes(const graph *g, ptq_error *err)
{
    for (int i = 0; i < graph_n_tensors(g); i++) {
        const tensor *t = graph_tensor_const(g, (tensor_id)i);
        node_id producer = graph_producer(g, (tensor_id)i);
        if (producer != NODE_NONE && !shape_known(&t->shape))
            return error_set(err, PTQ_SHAPE,
                             "the shape of tensor '%s' is not known; set the input's shape first",
                             t->name);
    }
    return PTQ_OK;
}

static ptq_status bind_inputs(builder *b)
{
    engine *e = b->e;
    e->n_inputs = graph_n_inputs(b->g);
    e->inputs = mem_array((size_t)e->n_inputs, sizeof *e->inputs);
    if (!e->inputs)
        return error_no_memory(b->err, 0, "inputs");
    for (int i = 0; i < e->n_inputs; i++) {
        const tensor *t = graph_tensor_const(b->g, graph_input(b->g, i));
        if (!shape_known(&t->shape))
            return error_set(b->err, PTQ_SHAPE, "the shape of input '%s' is not known", t->name);
        e->inputs[i] = (tensor_view){NULL, t->type, t->shape};
    }
    return PTQ_OK;
}

/* Remembers the taps on the outputs of `n` (or on an input or constant: `n` is NULL). A tensor
 * that is stored as an odd view of another one is copied for the tap. */
static ptq_status add_tap(builder *b, tensor_id id)
{
    engine *e = b->e;
    const tensor *t = graph_tensor_const(b->g, id);
    layout want = b->slots[id].is_image ? LAYOUT_NHWC : LAYOUT_DENSE;
    tap *made = &e->taps[e->n_taps];
    PTQ_TRY(build_input(b, id, want, t->type, &made->value));
    made->id = id;
    made->name = arena_strdup(e->names, t->name);
    made->after = e->n_steps - 1;
    if (!made->name)
        return error_no_memory(b->err, 0, "a tap");
    e->n_taps++;
    return PTQ_OK;
}

static ptq_status bind_taps(builder *b, const node *n)
{
    for (int i = 0; i < b->options->n_taps; i++) {
        tensor_id id = b->options->taps[i];
        bool is_here = false;
        for (int k = 0; n && k < n->n_outputs; k++)
            is_here = is_here || n->outputs[k] == id;
        if (n ? is_here : graph_producer(b->g, id) == NODE_NONE)
            PTQ_TRY(add_tap(b, id));
    }
    return PTQ_OK;
}

static ptq_status bind_nodes(builder *b)
{
    engine *e = b->e;
    e->taps = mem_array((size_t)b->options->n_taps, sizeof *e->taps);
    if (!e->taps)
        return error_no_memory(b->err, 0, "taps");
    PTQ_TRY(bind_taps(b, NULL));
    for (int i = 0; i < graph_n_nodes(b->g); i++) {
        const node *n = graph_node_const(b->g, (node_id)i);
        if (n->is_dead)
            continue;
        PTQ_TRY(bind_node(b, n));
        PTQ_TRY(bind_taps(b, n));
    }
    b->node = NULL;
    return PTQ_OK;
}

/* Outputs leave row-major; one that is the caller's input or a constant is copied. */
static ptq_status bind_outputs(builder *b)
{
    engine *e = b->e;
    e->n_outputs = graph_n_outputs(b->g);
    e->outputs = mem_array((size_t)e->n_outputs, sizeof *e->outputs);
    e->output_shapes = mem_array((size_t)e->n_outputs, sizeof *e->output_shapes);
    if (!e->outputs || !e->output_shapes)
        return error_no_memory(b->err, 0, "outputs");
    for (int i = 0; i < e->n_outputs; i++) {
        tensor_id id = graph_output(b->g, i);
        const tensor *t = graph_tensor_const(b->g, id);
        value_id found;
        PTQ_TRY(build_input(b, id, LAYOUT_DENSE, t->type, &found));
        e->outputs[i] = found;
        e->output_shapes[i] = t->shape;
        if (e->buffers[e->values[found].buffer].kind == BUFFER_SLAB)
            continue;
        view v = build_dense_view(b, id);
        PTQ_TRY(build_temporary(b, &v, &e->outputs[i]));
        PTQ_TRY(build_copy(b, found, e->outputs[i]));
    }
    return PTQ_OK;
}

static ptq_status build_all(builder *b)
{
    PTQ_TRY(check_shapes(b->g, b->err));
    PTQ_TRY(layout_decide(b));
    PTQ_TRY(bind_inputs(b));
    PTQ_TRY(bind_nodes(b));
    PTQ_TRY(bind_outputs(b));
    return build_finish(b);
}

ptq_status engine_prepare_shared(const graph *g, const engine_options *options,
                                 engine_shared *shared, engine **out, ptq_error *err)
{
    builder b = {.g = g, .options = options, .err = err};
    b.e = mem_zalloc(sizeof *b.e);
    b.slots = mem_array((size_t)graph_n_tensors(g), sizeof *b.slots);
    if (b.e)
        b.e->names = arena_create(0);
    ptq_status status;
    if (!b.e || !b.slots || !b.e->names) {
        status = error_no_memory(err, sizeof *b.e, "an engine");
    } else {
        b.e->shared = shared;
        shared->n_refs++;
        pthread_mutex_lock(&home_of(shared)->preparing);
        status = build_all(&b);
        pthread_mutex_unlock(&home_of(shared)->preparing);
    }
    mem_free(b.slots);
    if (status != PTQ_OK) {
        engine_destroy(b.e);
        return status;
    }
    *out = b.e;
    return PTQ_OK;
}

ptq_status engine_prepare(const graph *g, const engine_options *options, engine **out,
                          ptq_error *err)
{
    engine_shared *shared = NULL;
    PTQ_TRY(engine_shared_create(options->threads, options->level, &shared, err));
    ptq_status status = engine_prepare_shared(g, options, shared, out, err);
    engine_shared_unref(shared);
    return status;
}

ptq_status engine_prepare_beside(const graph *g, const engine_options *options, const engine *other,
                                 engine **out, ptq_error *err)
{
    return engine_prepare_shared(g, options, other->shared, out, err);
}

char *value_data(const engine *e, value_id id)
{
    const value *val = &e->values[id];
    const buffer *buf = &e->buffers[val->buffer];
    char *base = buf->kind == BUFFER_SLAB    ? e->slab + buf->offset
                 : buf->kind == BUFFER_CONST ? blob_data(buf->constant)
                                             : e->inputs[buf->input].data;
    return base + val->offset;
}

typedef struct step_job {
    const step *s;
    atomic_bool has_failed;
} step_job;

size_t step_piece_bytes(const step *s)
{
    const view *v = &s->conv->desc.dst;
    size_t bytes = (size_t)(s->conv->piece_pixels * v->stride[3]) * view_type_bytes(v->type);
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/* Pixels [begin, end) of one image; of all images counted on. */
static void run_piece(const step *s, char *room, int64_t begin, int64_t end)
{
    const conv *c = s->conv;
    int64_t all = c->desc.dst.dim[2] * c->desc.dst.dim[3];
    kernel_args a = s->args;
    int last = a.n - 1;
    c->impl->run_pixels(c, &(conv_run_args){a.t[0].data, room, NULL}, begin, end);
    a.t[0] = c->desc.dst;
    a.t[0].data = room;
    a.t[0].dim[0] = a.t[0].dim[2] = 1;
    a.t[0].dim[3] = end - begin;
    a.t[last].data += begin / all * a.t[last].stride[0] * (int64_t)view_type_bytes(a.t[last].type);
    a.p.decode.first = begin % all;
    s->tail->run(&a, 0, 1);
}

/* The same pixels as the convolution's part (conv.h: run_pixels). */
static void run_pieces(const step *s, int part)
{
    const view *v = &s->conv->desc.dst;
    int64_t all = v->dim[2] * v->dim[3], begin, end;
    char *room = s->scratch_data + (size_t)part * step_piece_bytes(s);
    kernel_share(v->dim[0] * all, part, s->n_parts, &begin, &end);
    for (int64_t at = begin, next; at < end; at = next) {
        next = conv_piece_end(s->conv, at, end);
        run_piece(s, room, at, next);
    }
}

static bool run_part(const step *s, int part)
{
    if (s->tail) {
        run_pieces(s, part);
        return true;
    }
    if (!s->conv) {
        s->kernel->run(&s->args, part, s->n_parts);
        return true;
    }
    conv_run_args a = {s->args.t[0].data, s->args.t[1].data, s->scratch_data};
    return s->conv->impl->run(s->conv, &a, part);
}

static void run_part_of_step(void *context, int part)
{
    step_job *j = context;
    if (!run_part(j->s, part))
        atomic_store(&j->has_failed, true);
}

static ptq_status step_failed(const step *s, ptq_error *err)
{
    return error_set(err, PTQ_INTERNAL, "node '%s' could not be computed by %s", s->node,
                     s->kernel_name);
}

ptq_status step_run(const step *s, pool *threads, ptq_error *err)
{
    step_job job = {.s = s};
    pool_run(threads, s->n_parts, run_part_of_step, &job);
    return atomic_load(&job.has_failed) ? step_failed(s, err) : PTQ_OK;
}

static ptq_status set_inputs(engine *e, const tensor_view *inputs, int n_inputs, ptq_error *err)
{
    char want[128], got[128];
    if (n_inputs != e->n_inputs)
        return error_set(err, PTQ_SHAPE, "the graph has %d inputs, not %d", e->n_inputs, n_inputs);
    for (int i = 0; i < n_inputs; i++) {
        tensor_view *in = &e->inputs[i];
        if (inputs[i].type != in->type || !shape_equal(&inputs[i].shape, &in->shape))
            return error_set(err, PTQ_SHAPE, "input %d is %s %s, but the engine was made for %s %s",
                             i, dtype_name(inputs[i].type), shape_text(&inputs[i].shape, got),
                             dtype_name(in->type), shape_text(&in->shape, want));
        in->data = inputs[i].data;
    }
    for (int i = 0; i < e->n_steps; i++) {
        step *s = &e->steps[i];
        for (int k = 0; k < s->args.n; k++) {
            value_id id = s->operand[k];
            if (id != VALUE_NONE && e->buffers[e->values[id].buffer].kind == BUFFER_INPUT)
                s->args.t[k].data = value_data(e, id);
        }
    }
    return PTQ_OK;
}

static void call_tap(const engine *e, const tap *t)
{
    const view *v = &e->values[t->value].v;
    int64_t pixel_stride = 0;
    tap_view seen = {.id = t->id,
                     .name = t->name,
                     .data = value_data(e, t->value),
                     .type = v->type,
                     .shape = shape_make(v->rank, v->dim)};
    if (!view_is_dense(v) && view_is_nhwc(v, &pixel_stride)) {
        seen.channels_last = true;
        seen.pixel_stride = (size_t)pixel_stride;
    }
    e->tap_fn(e->tap_user, &seen);
}

/* One step after the other, for taps and for the time of each when `profile` is not NULL. */
static ptq_status run_steps(engine *e, engine_step_profile *profile, ptq_error *err)
{
    int next_tap = 0;
    for (int i = -1; i < e->n_steps; i++) {
        if (i >= 0) {
            double start = profile ? clock_ms() : 0;
            PTQ_TRY(step_run(&e->steps[i], e->shared->pool, err));
            if (profile)
                profile[i].ms = clock_ms() - start;
        }
        for (; next_tap < e->n_taps && e->taps[next_tap].after <= i; next_tap++)
            if (e->tap_fn)
                call_tap(e, &e->taps[next_tap]);
    }
    return PTQ_OK;
}

typedef struct run_job {
    const engine *e;
    atomic_int failed; /* a step, or -1 */
} run_job;

static void run_task(void *context, int at)
{
    run_job *j = context;
    const task *t = &j->e->tasks[at];
    if (!run_part(&j->e->steps[t->step], t->part))
        atomic_store(&j->failed, t->step);
}

ptq_status engine_run(engine *e, const tensor_view *inputs, int n_inputs, ptq_error *err)
{
    PTQ_TRY(set_inputs(e, inputs, n_inputs, err));
    if (e->tap_fn && e->n_taps > 0)
        return run_steps(e, NULL, err);
    run_job job = {.e = e, .failed = -1};
    pool_run_job(e->shared->pool,
                 &(pool_job){run_task, &job, e->n_tasks, e->group_end, e->needs, e->marks});
    int failed = atomic_load(&job.failed);
    return failed < 0 ? PTQ_OK : step_failed(&e->steps[failed], err);
}

tensor_view engine_output(const engine *e, int i)
{
    value_id id = e->outputs[i];
    return (tensor_view){value_data(e, id), e->values[id].v.type, e->output_shapes[i]};
}

void engine_set_tap(engine *e, engine_tap_fn *fn, void *user)
{
    e->tap_fn = fn;
    e->tap_user = user;
}

void tap_to_float(const tap_view *view_seen, float *out)
{
    view v = view_dense(view_seen->type, view_seen->shape.rank, view_seen->shape.dim);
    if (view_seen->channels_last)
        v = view_nhwc(view_seen->type, view_seen->shape.dim, (int64_t)view_seen->pixel_stride);
    kernel_args a = {.n = 2, .t = {v, view_dense(DTYPE_F32, v.rank, v.dim)}};
    a.t[0].data = (char *)(uintptr_t)view_seen->data;
    a.t[1].data = (char *)out;
    view_coalesce(a.t, 2);
    kernel_choose(KERNEL_COPY, &a, cpu_best())->run(&a, 0, 1);
}

int engine_n_steps(const engine *e)
{
    return e->n_steps;
}

ptq_status engine_profile(engine *e, const tensor_view *inputs, int n_inputs,
                          engine_step_profile *steps, ptq_error *err)
{
    PTQ_TRY(set_inputs(e, inputs, n_inputs, err));
    for (int i = 0; i < e->n_steps; i++) {
        const step *s = &e->steps[i];
        steps[i] = (engine_step_profile){.node = s->node,
                                         .op = graph_op_name(s->op),
                                         .kernel = s->kernel_name,
                                         .precision = s->precision,
                                         .macs = s->macs};
    }
    return run_steps(e, steps, err);
}

size_t engine_memory_bytes(const engine *e)
{
    return e->slab_bytes + e->const_bytes;
}
