/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq quantize`: calibrate, insert, write, and hold INT8 against the float model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/agreement.h"
#include "api/form.h"
#include "api/improve.h"
#include "api/measure.h"
#include "api/option_defaults.h"
#include "api/quant_setup.h"
#include "api/report_facts.h"
#include "api/report_files.h"
#include "api/reproduce.h"
#include "api/resume.h"
#include "api/timing.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/same_pictures.h"
#include "eval/fidelity.h"
#include "quant/causes.h"
#include "quant/code_plan.h"
#include "quant/deploy.h"
#include "quant/half_plan.h"
#include "quant/map_resample.h"
#include "quant/quant_plan.h"
#include "quant/range_facts.h"

void ptq_quantize_options_init(ptq_quantize_options *o)
{
    *o = (ptq_quantize_options){.data = data_defaults("val"),
                                .quant = quant_defaults(),
                                .target = "tensorrt10",
                                .form = form_defaults(),
                                .max_drop = -1,
                                .effort = "quick",
                                .metric = "map",
                                .evaluate = true};
}

/* What one run of the command works on. */
typedef struct job {
    ptq_model *model;
    const ptq_quantize_options *options;
    api_call *call;
    const quant_target *target;
    quant_setup setup;
    tape *kept;       /* what a run that was stopped has found; or NULL */
    graph *equalized; /* the cleaned graph with its channels equalized, or NULL */
    graph *recovered; /* that with better weights, or NULL */
    graph *quantized; /* the cleaned graph with Q/DQ */
    json_t *facts;    /* what only a report shows; NULL without one */
} job;

static bool is_unlabelled(const job *j)
{
    return strcmp(j->options->metric, "fidelity") == 0;
}

/* ---------------------------------------------------------------- inserting and writing */

/* Float16 scales: says which ranges are wider than they were found. */
static ptq_status round_scales(const job *j, qplan *plan, ptq_error *err)
{
    json_t *widened = NULL;
    PTQ_TRY(half_plan_round(plan, &widened, err));
    int n = 0;
    for (size_t i = 0; i < json_array_size(widened); i++)
        n += (int)json_integer_value(json_object_get(json_array_get(widened, i), "scales"));
    if (n > 0)
        env_log(&j->call->env, PTQ_LOG_WARNING,
                "%d scales of %zu layers were below float16's smallest normal number, 6.1e-5, and "
                "were raised to it",
                n, json_array_size(widened));
    put(j->call->result, "widened", widened);
    return PTQ_OK;
}

static ptq_status recall_causes(const job *j, json_t **out, ptq_error *err)
{
    size_t size;
    if (!tape_peek(j->kept, "causes", &size))
        return PTQ_OK;
    char *text = mem_alloc(size + 1);
    if (!text)
        return error_no_memory(err, size, "causes");
    if (tape_recall(j->kept, "causes", text, size))
        *out = json_loadb(text, size, 0, NULL);
    mem_free(text);
    return PTQ_OK;
}

static ptq_status keep_causes(const job *j, const json_t *causes, ptq_error *err)
{
    if (!j->kept)
        return PTQ_OK;
    char *text = json_dumps(causes, JSON_COMPACT);
    if (!text)
        return error_no_memory(err, 0, "causes");
    tape_keep(j->kept, "causes", text, strlen(text));
    free(text); /* jansson's own allocation */
    return PTQ_OK;
}

/* Why the noisiest layers are noisy. */
static ptq_status explain(const job *j, const qplan *plan, ptq_error *err)
{
    json_t *causes = NULL;
    cause_job work = {.g = j->equalized ? j->equalized : j->model->clean,
                      .deployed = j->recovered,
                      .points = &j->setup.points,
                      .r = j->setup.ranges,
                      .plan = plan,
                      .images = j->setup.images,
                      .image_size = j->setup.image_size,
                      .env = &j->call->env};
    PTQ_TRY(recall_causes(j, &causes, err));
    if (!causes) {
        PTQ_TRY(causes_find(&work, &causes, err));
        PTQ_TRY(keep_causes(j, causes, err));
    }
    put(j->call->result, "causes", causes);
    return PTQ_OK;
}

static ptq_status make_plan(job *j, qplan *plan, ptq_error *err)
{
    const quant_setup *s = &j->setup;
    PTQ_TRY(quant_plan_build(j->model->clean, &s->points, s->ranges, &s->options, plan, err));
    if (j->options->simulate) /* the quantizers as they are, not as a target has them */
        return PTQ_OK;
    code_plan_job codes = {.g = j->model->clean,
                           .points = &s->points,
                           .codes = &s->codes,
                           .ranges = s->ranges,
                           .options = &s->options};
    improve_job work = {.model = j->model,
                        .options = j->options,
                        .setup = &j->setup,
                        .call = j->call,
                        .on_codes = j->target->on_codes,
                        .kept = j->kept,
                        .is_half = j->target->is_half,
                        .recovered = &j->recovered,
                        .equalized = &j->equalized};
    ptq_status status = resume_bind(j->kept, j->model, j->options, plan, &j->call->env, err);
    if (status == PTQ_OK)
        status = improve_plan(&work, plan, err);
    if (status == PTQ_OK)
        status = explain(j, plan, err);
    if (status == PTQ_OK && j->target->on_codes)
        status = code_plan_complete(&codes, plan, err);
    if (status == PTQ_OK && j->target->is_half)
        status = round_scales(j, plan, err);
    if (status != PTQ_OK)
        quant_plan_clear(plan);
    return status;
}

/* What only the target's file is to have. */
static ptq_status suit_target(job *j, ptq_error *err)
{
    if (j->target->is_half)
        return pass_round_half(j->quantized, err);
    if (!j->target->on_codes)
        return PTQ_OK;
    pass_decode_pixels_first(j->quantized);
    PTQ_TRY(pass_spell_silu(j->quantized, err));
    return pass_pad_channels(j->quantized, err);
}

static ptq_status insert(job *j, ptq_error *err)
{
    qplan plan;
    PTQ_TRY(make_plan(j, &plan, err));
    const graph *from = j->recovered ? j->recovered : j->model->clean;
    ptq_status status = quant_setup_copy(&j->setup, from, &j->quantized, err);
    if (status == PTQ_OK)
        status = pass_insert_qdq(j->quantized, &plan, err);
    if (status == PTQ_OK && !j->options->simulate)
        status = suit_target(j, err);
    if (status == PTQ_OK) {
        put_int(j->call->result, "quantized_layers", plan.n_entries);
        put(j->call->result, "kept_layers", quant_points_write_kept(&j->setup.points));
        put(j->call->result, "quantizers", quant_plan_write_json(j->model->clean, &plan));
    }
    quant_plan_clear(&plan);
    return status;
}

static ptq_status write_model(const job *j, ptq_error *err)
{
    const ptq_quantize_options *o = j->options;
    char images[16];
    snprintf(images, sizeof images, "%d", j->setup.ranges->n_images);
    const char *const metadata[] = {"calibration_data",
                                    o->quant.calib_from ? path_base(o->quant.calib_from)
                                    : o->quant.images   ? "memory"
                                    : o->data.yaml      ? path_base(o->data.yaml)
                                                        : "none: ranges given by hand",
                                    "calibration_images",
                                    images,
                                    "calibration_method",
                                    amax_method_name(j->setup.options.method),
                                    "target",
                                    o->target,
                                    NULL};
    onnx_export_options e = {
        .opset = j->target->opset, .half = j->target->is_half, .image_size = j->setup.image_size};
    form_job form = {.source = j->model->file,
                     .g = j->quantized,
                     .path = o->output,
                     .form = &o->form,
                     .metadata = metadata};
    PTQ_TRY(form_write(&form, &e, j->call, err));
    resume_note_file(j->kept, RESUME_OUTPUT, o->output);
    put_text(j->call->result, "target", o->target);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the table */

typedef struct row {
    const char *key;
    const graph *graph;
    ptq_precision precision;
    double mib;
    evaluation *evaluation;
    double fidelity;
    double *draws; /* mAP on images drawn with replacement, the same for all rows */
    run_times times;
    json_t *steps; /* a report's times per layer; NULL: not wanted */
} row;

/* Of the bootstrap, and what it answers. */
enum { N_DRAWS = 200 };
#define CONFIDENCE 0.95

static ptq_status time_row(row *r, session *s, int image_size, const ptq_env *env, ptq_error *err)
{
    shape one = shape4(1, 3, image_size, image_size);
    tensor_view input = {0};
    r->times.n = 20;
    ptq_status status = noise_input(&one, &input, err);
    if (status == PTQ_OK)
        status = time_runs(s, &input, env, &r->times, err);
    if (status == PTQ_OK && r->steps)
        status = report_steps_json(s, &input, r->steps, err);
    mem_free(input.data);
    return status;
}

static ptq_status measure_row(row *r, const protocol *p, const ptq_env *env, ptq_error *err)
{
    session_request request = {.graph = r->graph, .precision = r->precision, .detections = true};
    session *s;
    PTQ_TRY(api_session(&request, env, &s, err));
    env_log(env, PTQ_LOG_INFO, "measuring %s", r->key);
    ptq_status status = measure_session(p, s, env, &r->evaluation, err);
    if (status == PTQ_OK)
        status = time_row(r, s, p->image_size, env, err);
    session_destroy(s);
    return status;
}

static double weight_mib(const graph *g, double bytes_per_float)
{
    double bytes = 0;
    for (int i = 0; i < graph_n_tensors(g); i++) {
        const tensor *t = graph_tensor_const(g, (tensor_id)i);
        size_t count;
        if (t->data && shape_count(&t->shape, &count))
            bytes += (double)count *
                     (t->type == DTYPE_F32 ? bytes_per_float : (double)dtype_bytes(t->type));
    }
    return bytes / 1048576.0;
}

/* Before the records lose their labels. */
static ptq_status draw_maps(row *rows, int n, const ptq_env *env, ptq_error *err)
{
    for (int i = 0; i < n; i++) {
        rows[i].draws = mem_array(N_DRAWS, sizeof *rows[i].draws);
        if (!rows[i].draws)
            return error_no_memory(err, N_DRAWS * sizeof *rows[i].draws, "a bootstrap");
        PTQ_TRY(map_resample(&rows[i].evaluation->records, N_DRAWS, env_threads(env), rows[i].draws,
                             err));
    }
    return PTQ_OK;
}

/* Of all rows against the first; the records lose what they were judged by. */
static ptq_status judge_fidelity(row *rows, int n, ptq_error *err)
{
    for (int i = n - 1; i >= 0; i--) {
        PTQ_TRY(fidelity_judge(&rows[0].evaluation->records, &rows[i].evaluation->records, err));
        PTQ_TRY(records_map(&rows[i].evaluation->records, &rows[i].fidelity, err));
    }
    return PTQ_OK;
}

/* The change depends on which images were drawn: both rows on the same draws. */
static void put_interval(json_t *o, const row *r, const row *base)
{
    double change[N_DRAWS];
    for (int i = 0; i < N_DRAWS; i++)
        change[i] = r->draws[i] - base->draws[i];
    interval between = resample_interval(change, N_DRAWS, CONFIDENCE);
    put_real(o, "change_low", between.low);
    put_real(o, "change_high", between.high);
}

static json_t *row_json(const row *r, const row *base)
{
    json_t *o = json_object();
    const evaluation *e = r->evaluation;
    if (e && e->labels > 0) {
        put_real(o, "map50_95", e->map50_95);
        put_real(o, "map50", e->map50);
        put_real(o, "precision", e->precision);
        put_real(o, "recall", e->recall);
        put_real(o, "change", e->map50_95 - base->evaluation->map50_95);
        if (r != base)
            put_interval(o, r, base);
    }
    put_real(o, "fidelity", r->fidelity);
    put_real(o, "latency_ms", r->times.median);
    put_real(o, "speedup", base->times.median / r->times.median);
    put_real(o, "mib", r->mib);
    return o;
}

/* Most of a large loss comes back where ranges and weights are searched for. */
static void advise(const job *j, double drop)
{
    const double large = 0.01;
    if (drop > large && strcmp(j->options->effort, "quick") == 0)
        env_log(&j->call->env, PTQ_LOG_WARNING,
                "int8 loses %.3f; --effort default takes longer and mostly wins it back", drop);
}

static void gate(job *j, double drop)
{
    advise(j, drop);
    json_t *verdict = json_object();
    double allowed = j->options->max_drop;
    bool pass = allowed < 0 || drop <= allowed;
    put_bool(verdict, "pass", pass);
    put_real(verdict, "drop", drop);
    if (allowed >= 0)
        put_real(verdict, "max_drop", allowed);
    put(j->call->result, "verdict", verdict);
    if (!pass)
        j->call->verdict = PTQ_NO;
}

/* Before the records lose their labels, which the curves count. */
static ptq_status add_facts(job *j, const row *fp32, const row *int8, const dataset *data,
                            ptq_error *err)
{
    if (!j->facts)
        return PTQ_OK;
    json_t *gallery = NULL, *confusion = NULL;
    PTQ_TRY(report_confusion_json(data, fp32->evaluation, int8->evaluation, &confusion, err));
    put(j->facts, "confusion", confusion);
    PTQ_TRY(report_gallery_json(data, fp32->evaluation, int8->evaluation, &gallery, err));
    json_t *times = json_object();
    put(times, "fp32", json_incref(fp32->steps));
    put(times, "int8", json_incref(int8->steps));
    put(j->facts, "times", times);
    put(j->facts, "classes", report_classes_json(fp32->evaluation, int8->evaluation));
    put(j->facts, "gallery", gallery);
    return PTQ_OK;
}

/* A model judged by pictures it was calibrated on looks better than it is. */
static ptq_status check_overlap(job *j, const dataset *judging, ptq_error *err)
{
    const ptq_env *env = &j->call->env;
    ptq_data_options data = j->options->data;
    int n;
    const char *first;
    if (j->options->quant.calib_from || j->options->quant.images)
        return PTQ_OK;
    data.split = "train";
    PTQ_TRY(quant_setup_images(&j->setup, j->model, &j->options->quant, &data, env, err));
    PTQ_TRY(same_pictures(j->setup.images, judging, &n, &first, err));
    if (n > 0)
        env_log(env, PTQ_LOG_WARNING,
                "%d of the %d evaluation images are calibration images too, '%s' for one: the "
                "loss may be understated; evaluate on others",
                n, judging->n_items, first);
    put_int(j->call->result, "shared_images", n);
    return PTQ_OK;
}

enum { FP32, BF16, INT8, N_ROWS };

static void list_rows(const job *j, row rows[N_ROWS])
{
    const graph *g = j->model->clean;
    rows[FP32] =
        (row){.key = "fp32", .graph = g, .precision = PTQ_PRECISION_FP32, .mib = weight_mib(g, 4)};
    rows[BF16] =
        (row){.key = "bf16", .graph = g, .precision = PTQ_PRECISION_BF16, .mib = weight_mib(g, 2)};
    rows[INT8] = (row){.key = j->options->simulate ? "simulated" : "int8",
                       .graph = j->quantized,
                       .precision = j->options->simulate ? PTQ_PRECISION_FP32 : PTQ_PRECISION_INT8,
                       .mib = weight_mib(j->quantized, 4)};
}

/* ---------------------------------------------------------------- classifiers */

static ptq_status classify_row(row *r, const protocol *p, int64_t *classes, const ptq_env *env,
                               ptq_error *err)
{
    session_request request = {.graph = r->graph, .precision = r->precision};
    session *s;
    PTQ_TRY(api_session(&request, env, &s, err));
    env_log(env, PTQ_LOG_INFO, "measuring %s", r->key);
    size_t bytes = (size_t)p->data->n_items * sizeof *classes;
    ptq_status status = PTQ_OK;
    if (!tape_recall(p->kept, "classes", classes, bytes)) {
        status = agreement_classify(p, s, env, classes, err);
        if (status == PTQ_OK)
            tape_keep(p->kept, "classes", classes, bytes);
    }
    if (status == PTQ_OK)
        status = time_row(r, s, p->image_size, env, err);
    session_destroy(s);
    return status;
}

/* Top-1 agreement with the float network: no labels are needed. */
static ptq_status compare_classes(job *j, ptq_error *err)
{
    row rows[N_ROWS];
    protocol p;
    ptq_data_options data = j->options->data;
    data.rect = false;
    data.image_size = j->setup.image_size;
    data.unlabelled = true;
    list_rows(j, rows);
    PTQ_TRY(protocol_open(&p, &data, j->model, &j->call->env, err));
    size_t n = (size_t)p.data->n_items;
    p.kept = j->kept;
    resume_bind_images(j->kept, p.data);
    int64_t *classes = mem_array(n, N_ROWS * sizeof *classes);
    ptq_status status = classes ? check_overlap(j, p.data, err)
                                : error_no_memory(err, n * sizeof *classes, "classes");
    for (size_t i = 0; i < N_ROWS && status == PTQ_OK; i++) {
        status = classify_row(&rows[i], &p, classes + i * n, &j->call->env, err);
        if (status == PTQ_OK)
            rows[i].fidelity = agreement_of(classes, classes + i * n, (int)n);
    }
    if (status == PTQ_OK) {
        char text[256];
        put_text(j->call->result, "protocol", protocol_text(&p, text, sizeof text));
        put_text(j->call->result, "metric", "top-1 agreement");
        for (int i = 0; i < N_ROWS; i++)
            put(j->call->result, rows[i].key, row_json(&rows[i], &rows[FP32]));
        gate(j, rows[FP32].fidelity - rows[INT8].fidelity);
    }
    mem_free(classes);
    protocol_close(&p);
    return status;
}

/* ---------------------------------------------------------------- detectors */

static ptq_status compare_precisions(job *j, ptq_error *err)
{
    row rows[N_ROWS];
    list_rows(j, rows);
    for (int i = 0; i < N_ROWS && j->facts; i++)
        rows[i].steps = json_array();
    ptq_data_options data = j->options->data;
    data.rect = false; /* the written graph has one input size: all rows are measured at it */
    data.image_size = j->setup.image_size;
    data.unlabelled = is_unlabelled(j);
    protocol p;
    PTQ_TRY(protocol_open(&p, &data, j->model, &j->call->env, err));
    p.kept = j->kept;
    resume_bind_images(j->kept, p.data);
    ptq_status status = check_overlap(j, p.data, err);
    for (int i = 0; i < N_ROWS && status == PTQ_OK; i++)
        status = measure_row(&rows[i], &p, &j->call->env, err);
    if (status == PTQ_OK) {
        char text[256];
        put_text(j->call->result, "protocol", protocol_text(&p, text, sizeof text));
        put(j->call->config, "protocol", protocol_json(&p));
        status = draw_maps(rows, N_ROWS, &j->call->env, err);
        if (status == PTQ_OK)
            status = add_facts(j, &rows[FP32], &rows[INT8], p.data, err);
        if (status == PTQ_OK)
            status = judge_fidelity(rows, N_ROWS, err);
    }
    if (status == PTQ_OK) {
        for (int i = 0; i < N_ROWS; i++)
            put(j->call->result, rows[i].key, row_json(&rows[i], &rows[FP32]));
        gate(j, is_unlabelled(j)
                    ? rows[FP32].fidelity - rows[INT8].fidelity
                    : rows[FP32].evaluation->map50_95 - rows[INT8].evaluation->map50_95);
    }
    for (int i = 0; i < N_ROWS; i++) {
        evaluation_destroy(rows[i].evaluation);
        json_decref(rows[i].steps);
        mem_free(rows[i].draws);
    }
    protocol_close(&p);
    return status;
}

/* ---------------------------------------------------------------- the command */

/* What a report shows of the model, whether or not it is evaluated. */
static void describe(job *j)
{
    char *command = reproduce_quantize(j->model->file->path, j->options);
    put_text(j->facts, "reproduce", command);
    mem_free(command);
    put(j->facts, "layers",
        range_facts_write_json(j->model->clean, &j->setup.points, j->setup.ranges));
    put(j->facts, "graph", report_graph_json(j->model->clean));
}

/* That the evaluation's data set can be used is known before minutes of calibration are spent. Its
 * warnings come when it is read in earnest. */
static ptq_status check_evaluation(const job *j, ptq_error *err)
{
    ptq_data_options data = j->options->data;
    ptq_env silent = j->call->env;
    protocol p;
    if (!j->options->evaluate)
        return PTQ_OK;
    silent.log = NULL;
    data.unlabelled = is_unlabelled(j) || model_is_classifier(j->model);
    PTQ_TRY(protocol_open(&p, &data, j->model, &silent, err));
    protocol_close(&p);
    return PTQ_OK;
}

static ptq_status quantize_model(job *j, ptq_error *err)
{
    const ptq_quantize_options *o = j->options;
    PTQ_TRY(check_evaluation(j, err));
    PTQ_TRY(quant_setup_open(&j->setup, j->model, &o->quant, j->target, err));
    ptq_data_options calib = o->data;
    calib.split = "train";
    PTQ_TRY(quant_setup_resume(&j->setup, o->simulate ? NULL : o->output, err));
    PTQ_TRY(quant_setup_ranges(&j->setup, j->model, &o->quant, &calib, j->call, err));
    PTQ_TRY(quant_setup_fit(&j->setup, j->model, &o->quant, &calib, j->call, err));
    if (!o->simulate)
        PTQ_TRY(deploy_check(j->model->clean, &j->setup.points, j->target, err));
    PTQ_TRY(insert(j, err));
    PTQ_TRY(quant_setup_report(&j->setup, j->model, &o->quant, j->target, j->call, err));
    if (o->quant.save_config)
        resume_note_file(j->kept, RESUME_CONFIG, o->quant.save_config);
    if (!o->simulate)
        PTQ_TRY(write_model(j, err));
    if (j->facts)
        describe(j);
    if (!o->evaluate)
        return PTQ_OK;
    return model_is_classifier(j->model) ? compare_classes(j, err) : compare_precisions(j, err);
}

static ptq_status check_options(const ptq_quantize_options *o, ptq_error *err)
{
    if (!o->output && !o->simulate)
        return error_set(err, PTQ_USAGE, "no output file given");
    if (o->simulate && !o->evaluate)
        return error_set(err, PTQ_USAGE, "simulate without an evaluation would give nothing");
    PTQ_TRY(form_check(&o->form, err));
    if (!quant_target_find(o->target))
        return error_set(err, PTQ_USAGE,
                         "target '%s' is not known; use tensorrt10, tensorrt11 or onnxruntime",
                         o->target);
    if (strcmp(o->effort, "quick") != 0 && strcmp(o->effort, "default") != 0 &&
        strcmp(o->effort, "thorough") != 0)
        return error_set(err, PTQ_USAGE, "effort '%s' is none of: quick, default, thorough",
                         o->effort);
    bool has_ranges =
        o->quant.calib_from || o->quant.images || o->quant.config || o->quant.settings;
    if (!o->data.yaml && (o->evaluate || !has_ranges))
        return error_set(err, PTQ_USAGE, "no data set given; name its yaml with --data");
    return o->report_dir ? file_make_dirs(o->report_dir, err) : PTQ_OK;
}

ptq_status ptq_quantize(ptq_model *m, const ptq_quantize_options *o, const ptq_env *env,
                        ptq_result **out, ptq_error *err)
{
    PTQ_TRY(check_options(o, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "quantize", env, err));
    job j = {.model = m, .options = o, .call = &call, .target = quant_target_find(o->target)};
    j.facts = o->report_dir ? json_object() : NULL;
    ptq_status status = resume_open(o, &call.env, &j.kept, err);
    if (status == PTQ_OK)
        status = quantize_model(&j, err);
    graph_destroy(j.equalized);
    graph_destroy(j.recovered);
    graph_destroy(j.quantized);
    put_text(call.result, "report", o->report_dir);
    ptq_result *r = NULL;
    status = api_end(&call, status, m->file, &r, err);
    if (status == PTQ_OK && o->report_dir)
        status = report_write(o->report_dir, r, j.facts, err);
    json_decref(j.facts);
    if (status == PTQ_OK)
        quant_setup_done(&j.setup);
    quant_setup_close(&j.setup);
    resume_close(j.kept, status, env);
    if (status != PTQ_OK) {
        ptq_result_destroy(r);
        return status;
    }
    *out = r;
    return PTQ_OK;
}
