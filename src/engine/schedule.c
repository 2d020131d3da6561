/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/schedule.h"

#include "base/mem.h"

/* What a convolution touches of a buffer, in elements: some channels of every pixel of an image. */
typedef struct window {
    size_t size;   /* of an element */
    int64_t at;    /* where the first pixel begins, all channels of the buffer counted */
    int64_t pixel; /* from pixel to pixel */
    int64_t from, to;
} window;

enum { GROUP = 4 }; /* channels that kernels read at once, those beyond the last in vain */

static bool find_window(const value *val, window *out)
{
    size_t size = view_type_bytes(val->v.type);
    int64_t pixel, first = (int64_t)(val->offset / size);
    if (val->offset % size != 0 || !view_is_nhwc(&val->v, &pixel) || pixel < 1)
        return false;
    int64_t from = first % pixel, channels = val->v.dim[1];
    int64_t groups = (channels + GROUP - 1) / GROUP;
    *out = (window){size, first - from, pixel, from, from + groups * GROUP};
    return from + channels <= pixel;
}

typedef enum wait {
    WAIT_NONE, /* the steps may run side by side */
    WAIT_ROWS, /* a part waits for those that write the rows it reads */
    WAIT_ALL
} wait;

/* What one value of a step means for one of the next step, when one of them is written. */
static wait wait_for_value(const value *earlier, const value *later)
{
    window a, b;
    if (earlier->buffer != later->buffer)
        return WAIT_NONE;
    if (!find_window(earlier, &a) || !find_window(later, &b) || a.size != b.size ||
        a.pixel != b.pixel)
        return WAIT_ALL;
    if (a.to <= b.from || b.to <= a.from)
        return WAIT_NONE;
    bool same_rows = a.at == b.at && earlier->v.dim[0] == later->v.dim[0] &&
                     earlier->v.dim[2] == later->v.dim[2] && earlier->v.dim[3] == later->v.dim[3];
    return same_rows ? WAIT_ROWS : WAIT_ALL;
}

static bool has_rows(const step *s)
{
    return s->conv && s->conv->impl->rows;
}

/* A kernel's operands may be seen through other views than their values': only their buffers count.
 */
static wait wait_for_operand(const engine *e, const step *earlier, int i, const step *later, int k)
{
    value_id a = earlier->operand[i], b = later->operand[k];
    bool is_written = i == earlier->args.n - 1, writes = k == later->args.n - 1;
    if (a == VALUE_NONE || b == VALUE_NONE || (!is_written && !writes))
        return WAIT_NONE;
    const value *va = &e->values[a], *vb = &e->values[b];
    if (!has_rows(earlier) || !has_rows(later))
        return va->buffer == vb->buffer ? WAIT_ALL : WAIT_NONE;
    wait found = wait_for_value(va, vb);
    return found == WAIT_ROWS && (!is_written || writes) ? WAIT_ALL : found;
}

static wait wait_for_step(const engine *e, const step *earlier, const step *later)
{
    wait most = WAIT_NONE;
    for (int i = 0; i < earlier->args.n; i++)
        for (int k = 0; k < later->args.n; k++) {
            wait found = wait_for_operand(e, earlier, i, later, k);
            most = found > most ? found : most;
        }
    return most;
}

/* How many parts of `earlier` write rows that part `part` of `later` reads, or rows above. */
static int parts_above(const step *earlier, const step *later, int part)
{
    int64_t rows[2];
    later->conv->impl->rows(later->conv, part, rows);
    int64_t end = conv_rows_read(&later->conv->desc, rows[1]);
    int n = 0;
    for (; n < earlier->n_parts; n++) {
        earlier->conv->impl->rows(earlier->conv, n, rows);
        if (rows[0] >= end)
            break;
    }
    return n;
}

/* Adds the parts of step `at`; `before` is where those of the previous step begin. */
static void add_parts(engine *e, int at, int before)
{
    const step *s = &e->steps[at], *earlier = at ? &e->steps[at - 1] : NULL;
    int begin = e->n_tasks;
    wait how = earlier ? wait_for_step(e, earlier, s) : WAIT_NONE;
    for (int part = 0; part < s->n_parts; part++) {
        int extra = how == WAIT_NONE   ? 0
                    : how == WAIT_ROWS ? parts_above(earlier, s, part)
                                       : begin - before;
        e->tasks[e->n_tasks] = (task){at, part};
        e->group_end[e->n_tasks] = begin + s->n_parts;
        e->needs[e->n_tasks++] = before + extra;
    }
}

ptq_status schedule_make(engine *e, ptq_error *err)
{
    size_t n = 0;
    for (int i = 0; i < e->n_steps; i++)
        n += (size_t)e->steps[i].n_parts;
    e->tasks = mem_array(n, sizeof *e->tasks);
    e->needs = mem_array(n, sizeof *e->needs);
    e->group_end = mem_array(n, sizeof *e->group_end);
    e->marks = mem_alloc_aligned(pool_n_marks(e->shared->pool, (int)n) * sizeof *e->marks);
    if (!e->tasks || !e->needs || !e->group_end || !e->marks)
        return error_no_memory(err, n * sizeof *e->tasks, "the schedule");
    int before = 0;
    for (int i = 0; i < e->n_steps; i++) {
        int begin = e->n_tasks;
        add_parts(e, i, before);
        before = begin;
    }
    return PTQ_OK;
}
