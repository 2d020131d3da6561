/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/coverage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Moving by less than this is little: ranges that close cost the same (docs/accuracy.md). */
#define LITTLE 0.05
/* A last step that adds fewer images than this share says nothing about a doubling. */
#define LEAST_GROWTH 1.5

ptq_status coverage_begin(coverage *c, ranges *r, double percentile, int threads, ptq_error *err)
{
    size_t n = (size_t)r->n * AMAX_METHODS;
    *c = (coverage){.r = r, .percentile = percentile, .threads = threads, .next = 1};
    c->before = mem_array(n, sizeof *c->before);
    return c->before ? PTQ_OK : error_no_memory(err, n * sizeof *c->before, "calibration");
}

void coverage_clear(coverage *c)
{
    mem_free(c->before);
    *c = (coverage){0};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What nine of ten tensors stay below; `moves` is scratch for all of them. */
static double moved_by(const coverage *c, int method, double *moves)
{
    for (int i = 0; i < c->r->n; i++) {
        double now = (double)c->r->items[i].amax[method];
        double old = (double)c->before[i * AMAX_METHODS + method];
        moves[i] = now > 0 ? fabs(now - old) / now : 0;
    }
    qsort(moves, (size_t)c->r->n, sizeof *moves, compare_doubles);
    return moves[(c->r->n - 1) * 9 / 10];
}

static ptq_status note_step(coverage *c, ptq_error *err)
{
    ranges *r = c->r;
    range_step *steps = mem_resize(r->steps, (size_t)r->n_steps + 1, sizeof *steps);
    double *moves = mem_array((size_t)r->n, sizeof *moves);
    r->steps = steps ? steps : r->steps;
    if (!steps || !moves) {
        mem_free(moves);
        return error_no_memory(err, (size_t)r->n * sizeof *moves, "calibration");
    }
    range_step *step = &r->steps[r->n_steps];
    *step = (range_step){.n_images = c->seen};
    for (int m = 0; m < AMAX_METHODS; m++)
        step->moved[m] = r->n_steps > 0 ? moved_by(c, m, moves) : NAN;
    r->n_steps++;
    for (int i = 0; i < r->n; i++)
        memcpy(c->before + (size_t)i * AMAX_METHODS, r->items[i].amax, sizeof r->items[i].amax);
    mem_free(moves);
    return PTQ_OK;
}

bool coverage_is_due(const coverage *c, int n_images)
{
    return c->seen + n_images >= c->next;
}

ptq_status coverage_add(coverage *c, int n_images, ptq_error *err)
{
    bool is_due = coverage_is_due(c, n_images);
    c->seen += n_images;
    if (!is_due)
        return PTQ_OK;
    c->next = 2 * c->seen;
    PTQ_TRY(ranges_solve(c->r, c->percentile, c->threads, err));
    return note_step(c, err);
}

ptq_status coverage_end(coverage *c, ptq_error *err)
{
    const ranges *r = c->r;
    double last = r->n_steps > 0 ? (double)r->steps[r->n_steps - 1].n_images : 0;
    PTQ_TRY(ranges_solve(c->r, c->percentile, c->threads, err));
    return (double)c->seen >= LEAST_GROWTH * last ? note_step(c, err) : PTQ_OK;
}

static json_t *step_json(const range_step *step)
{
    json_t *moved = json_object();
    for (int m = 0; m < AMAX_METHODS; m++)
        json_object_set_new(moved, amax_method_name((amax_method)m),
                            isfinite(step->moved[m]) ? json_real(step->moved[m]) : json_null());
    return json_pack("{s:i,s:o}", "images", step->n_images, "moved", moved);
}

json_t *coverage_write_json(const ranges *r, amax_method method)
{
    if (r->n_steps == 0)
        return NULL;
    json_t *steps = json_array();
    int enough = 0;
    for (int i = 0; i < r->n_steps; i++)
        json_array_append_new(steps, step_json(&r->steps[i]));
    for (int i = r->n_steps - 1; i > 0 && r->steps[i].moved[method] <= LITTLE; i--)
        enough = r->steps[i - 1].n_images;
    return json_pack("{s:s,s:o,s:b,s:o}", "method", amax_method_name(method), "steps", steps,
                     "settled", enough > 0, "enough",
                     enough > 0 ? json_integer(enough) : json_null());
}
