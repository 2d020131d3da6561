/* SPDX-License-Identifier: Apache-2.0 */
/* engine/program.h — inside engine/: what a prepared engine consists of.
 *
 * A buffer is memory with one lifetime; a value is a strided window on a buffer; a step runs one
 * kernel or one convolution on values. Several values may lie in one buffer: the parts of a
 * concatenation, a reshaped tensor, a slice.
 */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include <pthread.h>

#include "base/arena.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "kernels/conv.h"
#include "kernels/kernel.h"

typedef enum buffer_kind {
    BUFFER_SLAB,  /* planned: lives from step `first` to step `last` */
    BUFFER_CONST, /* values known when the engine is prepared */
    BUFFER_INPUT  /* the caller's memory, known at each run */
} buffer_kind;

typedef struct buffer {
    buffer_kind kind;
    size_t bytes;
    int first, last;
    size_t offset;  /* SLAB: in the slab, once planned */
    blob *constant; /* CONST: one reference; dropped at the end when no step needs it */
    int input;      /* INPUT: which */
    bool is_used;   /* a step or an output needs it */
} buffer;

typedef int value_id;
#define VALUE_NONE (-1)

typedef struct value {
    view v; /* v.data is NULL: buffer and offset say where */
    int buffer;
    size_t offset; /* bytes */
    value_id next; /* the same tensor stored otherwise, or VALUE_NONE */
} value;

typedef struct step {
    const char *node; /* in the arena */
    graph_op op;
    const char *kernel_name;
    const char *precision;
    double macs;
    const kernel *kernel; /* NULL for a convolution */
    kernel_args args;     /* CONV: t[0] and t[1] */
    value_id operand[KERNEL_MAX_OPERANDS];
    conv *conv;
    const kernel *tail; /* reads the convolution's pixels, piece by piece; the args are its own, but
                           for t[0], what the convolution reads. NULL: they are stored */
    int scratch;        /* buffer, or -1 */
    char *scratch_data;
    int n_parts;
} step;

typedef struct task {
    int step, part;
} task;

typedef struct tap {
    tensor_id id;
    const char *name;
    value_id value;
    int after; /* step; -1: before the first */
} tap;

/* What the engines of a session share: threads and packed weights. */
typedef struct engine_shared {
    int n_refs;
    pool *pool;
    conv_context *convs;
    pthread_mutex_t preparing;  /* held while an engine is prepared with `convs` */
    struct engine_shared *home; /* one reference: its `convs` are these, its `preparing` is held;
                                   NULL: they are its own */
} engine_shared;

PTQ_CHECKED ptq_status engine_shared_create(int threads, cpu_level level, engine_shared **out,
                                            ptq_error *err);
/* Threads of its own, packed weights of `home`, whose threads pack them. */
PTQ_CHECKED ptq_status engine_shared_create_beside(engine_shared *home, int threads,
                                                   engine_shared **out, ptq_error *err);
void engine_shared_unref(engine_shared *s); /* NULL allowed */
/* engine_prepare() with threads and packed weights of others, one after the other; takes a
 * reference. */
PTQ_CHECKED ptq_status engine_prepare_shared(const graph *g, const engine_options *options,
                                             engine_shared *shared, engine **out, ptq_error *err);

struct engine {
    arena *names;
    engine_shared *shared; /* one reference */
    buffer *buffers;
    int n_buffers, cap_buffers;
    value *values;
    int n_values, cap_values;
    step *steps;
    int n_steps, cap_steps;
    task *tasks;            /* the parts of all steps (schedule.h) */
    int *needs, *group_end; /* [n_tasks], of the pool's job: a group is a step */
    atomic_uchar *marks;
    int n_tasks;
    char *slab;
    size_t slab_bytes, const_bytes;
    int n_inputs, n_outputs;
    tensor_view *inputs; /* data: of the present run */
    value_id *outputs;
    shape *output_shapes;
    tap *taps; /* ordered by `after` */
    int n_taps;
    engine_tap_fn *tap_fn;
    void *tap_user;
};

/* Of a step with a tail: memory for one piece. */
size_t step_piece_bytes(const step *s);
/* Runs all parts of a step. */
PTQ_CHECKED ptq_status step_run(const step *s, pool *threads, ptq_error *err);
/* Where the first element of a value is; inputs must be bound. */
char *value_data(const engine *e, value_id id);

#endif
