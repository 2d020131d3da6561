/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ranking.h"

#include <string.h>

#include "api/agreement.h"
#include "api/measure.h"
#include "api/option_defaults.h"
#include "quant/causes.h"

void ptq_sensitivity_options_init(ptq_sensitivity_options *o)
{
    *o = (ptq_sensitivity_options){.data = data_defaults("val"),
                                   .quant = quant_defaults(),
                                   .mode = "only",
                                   .metric = "map",
                                   .granularity = "conv",
                                   .top = 10,
                                   .confidence = 0.95};
}

/* Index of `word` in `words`; PTQ_USAGE lists them. */
static ptq_status choose(const char *option, const char *word, const char *const words[3],
                         int *index, ptq_error *err)
{
    for (int i = 0; i < 3 && words[i]; i++)
        if (strcmp(word, words[i]) == 0) {
            *index = i;
            return PTQ_OK;
        }
    return error_set(err, PTQ_USAGE, "%s '%s' is none of: %s, %s%s%s", option, word, words[0],
                     words[1], words[2] ? ", " : "", words[2] ? words[2] : "");
}

static ptq_status options_of(const ptq_sensitivity_options *o, const protocol *p,
                             const ptq_env *env, sensitivity_options *out, ptq_error *err)
{
    static const char *const modes[3] = {"only", "all-but", NULL};
    static const char *const metrics[3] = {"map", "fidelity", "sqnr"};
    static const char *const grains[3] = {"conv", "block", NULL};
    int mode = 0, metric = 0, grain = 0;
    PTQ_TRY(choose("mode", o->mode, modes, &mode, err));
    PTQ_TRY(choose("metric", o->metric, metrics, &metric, err));
    PTQ_TRY(choose("granularity", o->granularity, grains, &grain, err));
    if (!(o->confidence > 0 && o->confidence < 1))
        return error_set(err, PTQ_USAGE, "confidence %g is not between 0 and 1", o->confidence);
    sensitivity_options_init(out);
    out->mode = mode == 0 ? SENSITIVITY_ONLY : SENSITIVITY_ALL_BUT;
    out->metric = (sensitivity_metric)metric;
    out->by_block = grain == 1;
    out->load = protocol_loader(p, env);
    out->load.cache = true;
    out->eval = p->evaluator;
    out->confidence = o->confidence;
    out->journal = o->journal;
    out->exhaustive = o->exhaustive;
    out->top = o->top;
    if (o->memory_bytes)
        out->memory_bytes = o->memory_bytes;
    return PTQ_OK;
}

/* Everything a ranking runs on; borrowed. */
typedef struct ranking {
    const ptq_model *model;
    const quant_setup *setup;
    const ranges *ranges;
    const protocol *protocol;
} ranking;

/* Why the worst of them lose. */
static ptq_status explain(const ranking *k, const sensitivity *s, const qplan *plan, api_call *call,
                          ptq_error *err)
{
    const char *layers[CAUSES_LAYERS];
    double drops[CAUSES_LAYERS];
    json_t *causes = NULL;
    cause_job job = {.g = k->model->clean,
                     .points = &k->setup->points,
                     .r = k->ranges,
                     .plan = plan,
                     .images = k->setup->images ? k->setup->images : k->protocol->data,
                     .image_size = k->protocol->image_size,
                     .layers = layers,
                     .drops = s->metric == SENSITIVITY_SQNR ? NULL : drops,
                     .env = &call->env};
    for (; job.n_layers < s->n_layers && job.n_layers < CAUSES_LAYERS; job.n_layers++) {
        layers[job.n_layers] = s->layers[job.n_layers].name;
        drops[job.n_layers] = s->layers[job.n_layers].drop;
    }
    PTQ_TRY(causes_find(&job, &causes, err));
    put(call->result, "causes", causes);
    return PTQ_OK;
}

static ptq_status rank_planned(const ranking *k, const sensitivity_options *o, api_call *call,
                               sensitivity **out, ptq_error *err)
{
    const graph *g = k->model->clean;
    const ptq_env *env = &call->env;
    qplan plan;
    PTQ_TRY(quant_plan_build(g, &k->setup->points, k->ranges, &k->setup->options, &plan, err));
    sensitivity_job job = {
        .g = g, .points = &k->setup->points, .plan = &plan, .data = k->protocol->data};
    ptq_status status = sensitivity_rank(&job, o, env, out, err);
    if (status == PTQ_OK)
        status = explain(k, *out, &plan, call, err);
    quant_plan_clear(&plan);
    return status;
}

ptq_status rank_layers(const ptq_model *m, const ptq_sensitivity_options *o, const ranges *known,
                       api_call *call, sensitivity **out, ptq_error *err)
{
    ptq_quant_options q = o->quant;
    q.quantize_head = true;
    q.share_scales = 0;
    q.residual = 0;
    q.exclude = NULL;
    quant_setup s;
    protocol p;
    ptq_data_options data = o->data;
    data.unlabelled = data.unlabelled || strcmp(o->metric, "map") != 0;
    PTQ_TRY(model_check_boxes(m, err));
    PTQ_TRY(quant_setup_open(&s, m, &q, NULL, err));
    ptq_status status = protocol_open(&p, &data, m, &call->env, err);
    if (status != PTQ_OK) {
        quant_setup_close(&s);
        return status;
    }
    sensitivity_options options = {0};
    status = options_of(o, &p, &call->env, &options, err);
    ptq_data_options calib = o->data;
    calib.split = "train";
    if (status == PTQ_OK && !known)
        status = quant_setup_resume(&s, o->journal, err);
    if (status == PTQ_OK && !known)
        status = quant_setup_ranges(&s, m, &q, &calib, call, err);
    if (status == PTQ_OK)
        status =
            rank_planned(&(ranking){m, &s, known ? known : s.ranges, &p}, &options, call, out, err);
    char text[256];
    if (status == PTQ_OK) {
        quant_setup_done(&s);
        put_text(call->result, "ranking_protocol", protocol_text(&p, text, sizeof text));
        put(call->config, "protocol", protocol_json(&p));
    }
    protocol_close(&p);
    quant_setup_close(&s);
    return status;
}

ptq_status ptq_sensitivity(ptq_model *m, const ptq_sensitivity_options *o, const ptq_env *env,
                           ptq_result **out, ptq_error *err)
{
    api_call call;
    PTQ_TRY(api_begin(&call, "sensitivity", env, err));
    sensitivity *s = NULL;
    ptq_status status = rank_layers(m, o, NULL, &call, &s, err);
    if (status == PTQ_OK) {
        json_t *ranked = sensitivity_write_json(s, o->top);
        json_object_update(call.result, ranked);
        json_decref(ranked);
        put_text(call.config, "mode", o->mode);
        put_text(call.config, "metric", o->metric);
        put_text(call.config, "granularity", o->granularity);
    }
    sensitivity_destroy(s);
    return api_end(&call, status, m->file, out, err);
}
