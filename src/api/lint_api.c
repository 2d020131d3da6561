/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq lint`: what a target will make of an ONNX file. */
#include "api/result.h"
#include "lint/lint.h"

void ptq_lint_options_init(ptq_lint_options *o)
{
    *o = (ptq_lint_options){.target = "tensorrt10"};
}

static json_t *finding_json(const lint_finding *f)
{
    json_t *o = json_object();
    put_text(o, "rule", lint_rule_of(f->rule)->id);
    put_text(o, "severity", lint_severity_name(f->severity));
    put_text(o, "node", f->node);
    put_text(o, "message", f->message);
    put_text(o, "fix", f->fix);
    return o;
}

static json_t *forecast_json(const lint_forecast *f)
{
    json_t *o = json_object();
    put_text(o, "node", f->node);
    put_text(o, "op", f->op);
    put_text(o, "precision", f->precision);
    put_text(o, "reason", f->reason);
    return o;
}

static void put_report(json_t *result, const lint_report *r)
{
    json_t *findings = json_array(), *forecast = json_array(), *counts = json_object();
    for (size_t i = 0; i < r->n_findings; i++)
        json_array_append_new(findings, finding_json(&r->findings[i]));
    for (size_t i = 0; i < r->n_forecast; i++)
        json_array_append_new(forecast, forecast_json(&r->forecast[i]));
    for (int s = LINT_ERROR; s < LINT_N_SEVERITIES; s++)
        put_int(counts, lint_severity_name((lint_severity)s), (int64_t)r->n_of[s]);
    put_int(result, "opset", r->opset);
    put(result, "counts", counts);
    put(result, "findings", findings);
    put(result, "forecast", forecast);
}

static ptq_status lint_model(api_call *call, const model *m, const lint_options *options,
                             ptq_error *err)
{
    if (m->format != MODEL_ONNX)
        return error_set(err, PTQ_UNSUPPORTED,
                         "'%s' is a checkpoint, and a target reads ONNX; write one with 'ptq "
                         "quantize' or 'ptq export' first",
                         m->path);
    lint_report report;
    PTQ_TRY(lint_file(m->path, options, &call->env, &report, err));
    put_report(call->result, &report);
    if (report.n_of[LINT_ERROR])
        call->verdict = PTQ_NO;
    lint_report_clear(&report);
    return PTQ_OK;
}

ptq_status ptq_lint(const char *path, const ptq_lint_options *o, const ptq_env *env,
                    ptq_result **out, ptq_error *err)
{
    lint_options options = {.max_bytes = o->max_bytes};
    model_options limits = {.max_bytes = o->max_bytes};
    model *m = NULL;
    api_call call;
    PTQ_TRY(lint_target_parse(o->target, &options.target, err));
    PTQ_TRY(api_begin(&call, "lint", env, err));
    put_text(call.config, "target", o->target);
    ptq_status status = model_identify(path, &limits, &call.env, &m, err);
    if (status == PTQ_OK)
        status = lint_model(&call, m, &options, err);
    status = api_end(&call, status, m, out, err);
    model_destroy(m);
    return status;
}
