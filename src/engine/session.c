/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"

#include <string.h>

#include "base/mem.h"
#include "engine/program.h"

enum { DEFAULT_ENGINES = 8 };

/* One prepared engine and when it was last used. */
typedef struct entry {
    engine *e;
    shape input;
    uint64_t used; /* 0: free */
} entry;

struct session {
    graph *g;
    engine_shared *shared;
    engine_options options;
    tensor_id *taps;
    entry *entries;
    int n_entries;
    uint64_t now; /* runs so far */
    engine *last;
    shape graph_input; /* what the graph's shapes are set for; rank -1: nothing yet */
    engine_tap_fn *tap_fn;
    void *tap_user;
};

void session_destroy(session *s)
{
    if (!s)
        return;
    for (int i = 0; s->entries && i < s->n_entries; i++)
        engine_destroy(s->entries[i].e);
    engine_shared_unref(s->shared);
    mem_free(s->entries);
    mem_free(s->taps);
    graph_destroy(s->g);
    mem_free(s);
}

/* `taps` NULL: they are found next. */
static ptq_status set_taps(session *s, const tensor_id *taps, int n, ptq_error *err)
{
    s->taps = mem_array((size_t)n, sizeof *s->taps);
    if (!s->taps)
        return error_no_memory(err, (size_t)n * sizeof *s->taps, "taps");
    if (taps && n > 0)
        memcpy(s->taps, taps, (size_t)n * sizeof *taps);
    s->options.taps = s->taps;
    s->options.n_taps = n;
    return PTQ_OK;
}

static ptq_status find_taps(session *s, const session_options *options, ptq_error *err)
{
    PTQ_TRY(set_taps(s, NULL, options->n_taps, err));
    for (int i = 0; i < options->n_taps; i++) {
        s->taps[i] = graph_find_tensor(s->g, options->taps[i]);
        if (s->taps[i] == TENSOR_NONE)
            return error_set(err, PTQ_USAGE, "there is no tensor '%s' to watch", options->taps[i]);
    }
    return PTQ_OK;
}

/* A session without threads; destroyed on failure. */
static ptq_status create(const graph *g, const engine_options *options, int n_entries,
                         session **out, ptq_error *err)
{
    session *s = mem_zalloc(sizeof *s);
    if (!s)
        return error_no_memory(err, sizeof *s, "a session");
    s->options = *options;
    s->graph_input.rank = -1;
    s->n_entries = n_entries;
    s->entries = mem_array((size_t)n_entries, sizeof *s->entries);
    ptq_status status = s->entries ? graph_copy(g, &s->g, err)
                                   : error_no_memory(err, sizeof *s->entries, "a session");
    if (status != PTQ_OK) {
        session_destroy(s);
        return status;
    }
    *out = s;
    return PTQ_OK;
}

ptq_status session_create(const graph *g, const session_options *options, session **out,
                          ptq_error *err)
{
    engine_options o = {.threads = options->threads,
                        .level = options->level,
                        .exact = options->exact,
                        .without = options->without};
    session *s = NULL;
    PTQ_TRY(
        create(g, &o, options->max_engines > 0 ? options->max_engines : DEFAULT_ENGINES, &s, err));
    ptq_status status = engine_shared_create(options->threads, options->level, &s->shared, err);
    if (status == PTQ_OK)
        status = find_taps(s, options, err);
    if (status != PTQ_OK) {
        session_destroy(s);
        return status;
    }
    *out = s;
    return PTQ_OK;
}

ptq_status session_create_beside(const session *first, int threads, session **out, ptq_error *err)
{
    engine_options o = first->options;
    session *s = NULL;
    o.threads = threads;
    o.taps = NULL;
    PTQ_TRY(create(first->g, &o, 1, &s, err));
    ptq_status status = engine_shared_create_beside(first->shared, threads, &s->shared, err);
    if (status == PTQ_OK)
        status = set_taps(s, first->taps, o.n_taps, err);
    if (status != PTQ_OK) {
        session_destroy(s);
        return status;
    }
    *out = s;
    return PTQ_OK;
}

/* The entry of this input shape, else a free one, else the one not used for the longest time. */
static entry *find_entry(session *s, const shape *input)
{
    entry *oldest = &s->entries[0];
    for (int i = 0; i < s->n_entries; i++) {
        entry *en = &s->entries[i];
        if (en->e && shape_equal(&en->input, input))
            return en;
        if (en->used < oldest->used)
            oldest = en;
    }
    return oldest;
}

static ptq_status set_graph_shape(session *s, const shape *input, ptq_error *err)
{
    if (s->graph_input.rank >= 0 && shape_equal(&s->graph_input, input))
        return PTQ_OK;
    s->graph_input.rank = -1;
    PTQ_TRY(graph_set_input_shape(s->g, input, err));
    s->graph_input = *input;
    return PTQ_OK;
}

ptq_status session_run(session *s, const tensor_view *inputs, int n_inputs, ptq_error *err)
{
    if (n_inputs < 1)
        return error_set(err, PTQ_SHAPE, "a run needs an input");
    PTQ_TRY(set_graph_shape(s, &inputs[0].shape, err));
    entry *en = find_entry(s, &inputs[0].shape);
    if (!en->e || !shape_equal(&en->input, &inputs[0].shape)) {
        engine *made;
        PTQ_TRY(engine_prepare_shared(s->g, &s->options, s->shared, &made, err));
        engine_destroy(en->e);
        en->e = made;
        en->input = inputs[0].shape;
    }
    en->used = ++s->now;
    s->last = en->e;
    engine_set_tap(en->e, s->tap_fn, s->tap_user);
    return engine_run(en->e, inputs, n_inputs, err);
}

engine *session_engine(session *s)
{
    return s->last;
}

const graph *session_graph(const session *s)
{
    return s->g;
}

void session_set_tap(session *s, engine_tap_fn *fn, void *user)
{
    s->tap_fn = fn;
    s->tap_user = user;
}
