/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/evaluate.h"

#include "base/clock.h"

typedef struct stopwatch {
    double waiting_ms, predicting_ms;
} stopwatch;

static ptq_status add_batch(const evaluate_input *in, evaluator *e, const batch *b,
                            stopwatch *watch, ptq_error *err)
{
    predictions p;
    bool is_known;
    PTQ_TRY(evaluator_recall(e, b, in->kept, &is_known, err));
    if (is_known)
        return PTQ_OK;
    double start = clock_ms();
    PTQ_TRY(in->predict(in->user, b, &p, err));
    watch->predicting_ms += clock_ms() - start;
    PTQ_TRY(evaluator_add(e, b, &p, err));
    evaluator_keep(e, b, in->kept);
    return PTQ_OK;
}

static ptq_status add_all(const evaluate_input *in, evaluator *e, const ptq_env *env,
                          stopwatch *watch, ptq_error *err)
{
    size_t done = 0, total = (size_t)in->data->n_items;
    PTQ_TRY(loader_rewind(in->loader, err));
    env_progress(env, "evaluating", 0, total);
    for (;;) {
        const batch *b;
        PTQ_TRY(env_check_cancel(env, err));
        double start = clock_ms();
        PTQ_TRY(loader_next(in->loader, &b, err));
        watch->waiting_ms += clock_ms() - start;
        if (!b)
            return PTQ_OK;
        PTQ_TRY(add_batch(in, e, b, watch, err));
        done += (size_t)b->n;
        env_progress(env, "evaluating", done, total);
    }
}

ptq_status evaluate(const evaluate_input *in, const evaluator_options *options, const ptq_env *env,
                    evaluation **out, ptq_error *err)
{
    evaluator *e;
    evaluation *result = NULL;
    stopwatch watch = {0};
    PTQ_TRY(evaluator_create(in->data, options, env, &e, err));
    ptq_status status = add_all(in, e, env, &watch, err);
    if (status == PTQ_OK)
        status = evaluator_finish(e, &result, err);
    evaluator_destroy(e);
    if (status != PTQ_OK)
        return status;
    if (result->images) {
        result->preprocess_ms = watch.waiting_ms / result->images;
        result->inference_ms = watch.predicting_ms / result->images;
    }
    *out = result;
    return PTQ_OK;
}
