/* SPDX-License-Identifier: Apache-2.0 */
#include "unlucky_order.h"

#include "engine/program.h"

static void run_task(const engine *e, const task *t)
{
    const step *s = &e->steps[t->step];
    if (!s->conv) {
        s->kernel->run(&s->args, t->part, s->n_parts);
        return;
    }
    conv_run_args a = {s->args.t[0].data, s->args.t[1].data, s->scratch_data};
    assert_true(s->conv->impl->run(s->conv, &a, t->part));
}

/* A part that has not run and needs none but those below `ended`, which have ended. */
static int choose(const engine *e, const bool *has_run, int ended, test_rng *rng)
{
    int chosen = -1, n = 0;
    for (int at = ended; at < e->n_tasks; at++) {
        assert_true(e->needs[at] <= at);
        if (has_run[at] || e->needs[at] > ended)
            continue;
        n++;
        if (!rng || test_uniform(rng) * n < 1)
            chosen = at;
    }
    assert_true(chosen >= 0);
    return chosen;
}

void run_in_unlucky_order(engine *e, test_rng *rng)
{
    bool *has_run = calloc((size_t)e->n_tasks + 1, sizeof *has_run);
    assert_non_null(has_run);
    memset(e->slab, 0x55, e->slab_bytes);
    for (int ended = 0; ended < e->n_tasks;) {
        int at = choose(e, has_run, ended, rng);
        run_task(e, &e->tasks[at]);
        has_run[at] = true;
        while (has_run[ended])
            ended++;
    }
    free(has_run);
}

double overlap_of_steps(const engine *e)
{
    int n = 0, begin = 0;
    for (int at = 0; at < e->n_tasks; at++) {
        begin = e->tasks[at].part == 0 ? at : begin;
        n += e->needs[at] < begin;
    }
    return e->n_tasks ? (double)n / e->n_tasks : 0;
}
