/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct bench_args {
    general_args general;
    ptq_load_options load;
    ptq_bench_options bench;
    option_enums precisions;
} bench_args;

static const option BENCH_OPTIONS[] = {
    {.name = "precision",
     .type = OPTION_ENUMS,
     .offset = offsetof(bench_args, precisions),
     .value = "P,...",
     .choices = PRECISIONS,
     .preset = "what the model is made for",
     .is_common = true,
     .help = "one or several of fp32, bf16, int8, timed one after the other"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(bench_args, bench.image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "input size"},
    {.name = "batch",
     .type = OPTION_INT,
     .offset = offsetof(bench_args, bench.batch),
     .value = "N",
     .min = 1,
     .max = 1024,
     .is_common = true,
     .help = "images per run"},
    {.name = "runs",
     .type = OPTION_INT,
     .offset = offsetof(bench_args, bench.runs),
     .value = "N",
     .min = 1,
     .max = 1000000,
     .is_common = true,
     .help = "timed runs"},
    {.name = "layers",
     .type = OPTION_FLAG,
     .offset = offsetof(bench_args, bench.layers),
     .is_common = true,
     .help = "time and kernel of every layer"},
    OPTIONS_END,
};

static void init(void *args)
{
    bench_args *a = args;
    ptq_bench_options_init(&a->bench);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const bench_args *a = args;
    ptq_precision precisions[OPTION_MAX_ENUMS];
    for (int i = 0; i < a->precisions.n; i++)
        precisions[i] = (ptq_precision)a->precisions.values[i];
    ptq_bench_options o = a->bench;
    if (a->precisions.n > 0) {
        o.precisions = precisions;
        o.n_precisions = a->precisions.n;
    }
    ptq_model *model;
    ptq_status st = cli_load(c, 0, &a->load, a->bench.image_size, &model, err);
    if (st)
        return st;
    st = ptq_bench(model, &o, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

const command cmd_bench = {
    .name = "bench",
    .summary = "latency, throughput, share of the machine's peak",
    .operands = "MODEL",
    .usage = " [options]",
    .about = "Time a model. Every figure comes from this run on this machine.",
    .examples = {"ptq bench yolov7.int8.onnx --threads 4 --layers",
                 "ptq bench yolov7.pt --precision fp32,bf16"},
    .groups = (const option_group[]){{"Timing", BENCH_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(bench_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(bench_args),
    .init = init,
    .run = run,
};
