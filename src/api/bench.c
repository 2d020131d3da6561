/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq bench`: latency against the measured peak of this machine. */
#include <string.h>
#include <sys/resource.h>

#include "api/model_handle.h"
#include "api/result.h"
#include "api/timing.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "kernels/peak.h"

void ptq_bench_options_init(ptq_bench_options *o)
{
    *o = (ptq_bench_options){.image_size = 640, .batch = 1, .runs = 50};
}

typedef struct peaks {
    double f32, bf16, int8; /* Gop/s; 0: no instruction for it */
} peaks;

static peaks measure_peaks(cpu_level level, int threads)
{
    return (peaks){.f32 = peak_measure(PEAK_F32, level, threads),
                   .bf16 = peak_measure(PEAK_BF16, level, threads),
                   .int8 = peak_measure(PEAK_INT8, level, threads)};
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The machine at its best of two looks: the fraction of the peak is then never flattered by other
 * work that happened to disturb the measurement of the peak. */
static peaks best_peaks(const peaks *a, const peaks *b)
{
    return (peaks){larger(a->f32, b->f32), larger(a->bf16, b->bf16), larger(a->int8, b->int8)};
}

static double peak_for(const peaks *p, const char *name)
{
    if (strcmp(name, "int8") == 0)
        return p->int8;
    return strcmp(name, "bf16") == 0 ? p->bf16 : p->f32;
}

static json_t *layer_json(const engine_step_profile *step, const peaks *p)
{
    json_t *o = json_object();
    double gop = 2e-9 * step->macs, peak = peak_for(p, step->precision);
    put_text(o, "name", step->node);
    put_text(o, "op", step->op);
    put_text(o, "kernel", step->kernel);
    put_text(o, "precision", step->precision);
    put_real(o, "ms", step->ms);
    put_real(o, "gop", gop);
    if (step->macs > 0 && peak > 0 && step->ms > 0)
        put_real(o, "peak_fraction", gop / (step->ms * 1e-3) / peak);
    return o;
}

/* Work and ideal time over the steps; the list of layers when asked for. */
static ptq_status profile_run(session *s, const tensor_view *input, const peaks *p, json_t *run,
                              bool layers, ptq_error *err)
{
    engine *e = session_engine(s);
    int n = engine_n_steps(e);
    engine_step_profile *steps = mem_array((size_t)n, sizeof *steps);
    if (!steps)
        return error_no_memory(err, (size_t)n * sizeof *steps, "a profile");
    ptq_status status = engine_profile(e, input, 1, steps, err);
    double gop = 0, ideal_s = 0;
    json_t *list = json_array();
    for (int i = 0; i < n && status == PTQ_OK; i++) {
        double peak = peak_for(p, steps[i].precision);
        gop += 2e-9 * steps[i].macs;
        if (peak > 0)
            ideal_s += 2e-9 * steps[i].macs / peak;
        json_array_append_new(list, layer_json(&steps[i], p));
    }
    double median =
        json_number_value(json_object_get(json_object_get(run, "latency_ms"), "median"));
    double peak_gops = ideal_s > 0 ? gop / ideal_s : 0;
    put_real(run, "gop", gop);
    put_real(run, "peak_gops", peak_gops);
    put_real(run, "peak_fraction", peak_gops > 0 ? gop / (median * 1e-3) / peak_gops : 0);
    put(run, "layers", layers ? list : json_null());
    if (!layers)
        json_decref(list);
    mem_free(steps);
    return status;
}

typedef struct bench_setup {
    ptq_model *model;
    const ptq_bench_options *options;
    const ptq_env *env;
    tensor_view input;
    cpu_level level;
    peaks peaks;
} bench_setup;

/* Says when the figures are not the machine's own. */
static void note_noise(const ptq_env *env, const char *name, const run_times *t)
{
    const double usual = 1.25;
    if (t->p90 > usual * t->median)
        env_log(env, PTQ_LOG_WARNING,
                "%s: a tenth of the runs took %.0f %% longer than the median; other work disturbs "
                "this machine: compare only what was measured together",
                name, 100 * (t->p90 / t->median - 1));
}

/* A session that has run once; `ms`: what lowering, packing and that run took. */
static ptq_status prepare(const session_request *request, const bench_setup *b, session **out,
                          double *ms, ptq_error *err)
{
    double start = clock_ms();
    session *s;
    PTQ_TRY(api_session(request, b->env, &s, err));
    ptq_status status = session_run(s, &b->input, 1, err);
    *ms = clock_ms() - start;
    if (status == PTQ_OK)
        *out = s;
    else
        session_destroy(s);
    return status;
}

static ptq_status bench_one(bench_setup *b, ptq_precision asked, json_t *runs, ptq_error *err)
{
    const ptq_bench_options *o = b->options;
    session_request request = {.graph = b->model->clean, .precision = asked};
    session *s;
    double first_run_ms;
    PTQ_TRY(prepare(&request, b, &s, &first_run_ms, err));
    json_t *run = json_object();
    run_times times = {.n = o->runs};
    ptq_status status = time_runs(s, &b->input, b->env, &times, err);
    if (status == PTQ_OK) {
        struct rusage usage = {0};
        const char *name = precision_name(resolve_precision(b->model->clean, asked));
        peaks after = measure_peaks(b->level, b->env->threads);
        b->peaks = best_peaks(&b->peaks, &after);
        getrusage(RUSAGE_SELF, &usage);
        note_noise(b->env, name, &times);
        put_text(run, "precision", name);
        put_int(run, "threads", b->env->threads);
        put_int(run, "batch", o->batch);
        put_int(run, "runs", o->runs);
        put(run, "latency_ms", run_times_json(&times));
        put_real(run, "first_run_ms", first_run_ms);
        put_real(run, "images_per_s", o->batch / (times.median * 1e-3));
        put_real(run, "rss_mib", (double)usage.ru_maxrss / 1024.0);
        put_real(run, "engine_mib", (double)engine_memory_bytes(session_engine(s)) / 1048576.0);
        status = profile_run(s, &b->input, &b->peaks, run, o->layers, err);
    }
    if (status == PTQ_OK)
        json_array_append(runs, run);
    json_decref(run);
    session_destroy(s);
    return status;
}

static ptq_status bench_model(api_call *call, ptq_model *m, const ptq_bench_options *o,
                              ptq_error *err)
{
    cpu_level level;
    PTQ_TRY(cpu_level_parse(call->env.cpu, &level, err));
    int size = model_image_size(m, o->image_size, &call->env);
    shape input = model_input_shape(m, o->batch, size);
    bench_setup b = {.model = m, .options = o, .env = &call->env, .level = level};
    PTQ_TRY(noise_input(&input, &b.input, err));
    b.peaks = measure_peaks(level, call->env.threads);
    json_t *runs = json_array();
    put(call->result, "runs", runs);
    put_real(call->result, "load_ms", m->load_ms);
    put_int(call->config, "imgsz", size);
    put_int(call->config, "batch", o->batch);
    ptq_status status = PTQ_OK;
    if (o->n_precisions == 0)
        status = bench_one(&b, PTQ_PRECISION_AUTO, runs, err);
    for (int i = 0; i < o->n_precisions && status == PTQ_OK; i++)
        status = bench_one(&b, o->precisions[i], runs, err);
    json_t *measured = json_object();
    put_real(measured, "fp32", b.peaks.f32);
    put_real(measured, "bf16", b.peaks.bf16);
    put_real(measured, "int8", b.peaks.int8);
    put(call->result, "measured_peak_gops", measured);
    mem_free(b.input.data);
    return status;
}

ptq_status ptq_bench(ptq_model *m, const ptq_bench_options *o, const ptq_env *env, ptq_result **out,
                     ptq_error *err)
{
    if (o->runs < 1 || o->batch < 1)
        return error_set(err, PTQ_USAGE, "runs and batch must be at least 1");
    api_call call;
    PTQ_TRY(api_begin(&call, "bench", env, err));
    ptq_status status = bench_model(&call, m, o, err);
    return api_end(&call, status, m->file, out, err);
}
