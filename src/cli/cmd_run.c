/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct run_args {
    general_args general;
    ptq_load_options load;
    ptq_run_options run;
} run_args;

static const option RUN_OPTIONS[] = {
    {.name = "input",
     .type = OPTION_TEXT,
     .offset = offsetof(run_args, run.input),
     .value = "FILE",
     .is_common = true,
     .help = "a float32 NCHW .npy, or a JPEG or PNG that is letterboxed first"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(run_args, run.image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "size that a picture is letterboxed to"},
    {.name = "precision",
     .type = OPTION_ENUM,
     .offset = offsetof(run_args, run.precision),
     .value = "P",
     .choices = PRECISIONS,
     .is_common = true,
     .help = "fp32, fp16 (simulated), bf16 or int8; auto: int8 for a quantized model"},
    {.name = "out-dir",
     .type = OPTION_TEXT,
     .offset = offsetof(run_args, run.out_dir),
     .value = "DIR",
     .is_common = true,
     .help = "write every output and tap there, as NAME.npy"},
    {.name = "tap",
     .type = OPTION_TEXTS,
     .offset = offsetof(run_args, run.taps),
     .value = "TENSOR",
     .is_common = true,
     .help = "an inner tensor to write, too; may be given again"},
    OPTIONS_END,
};

static void init(void *args)
{
    run_args *a = args;
    ptq_run_options_init(&a->run);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const run_args *a = args;
    ptq_status st = cli_require("run", "--input FILE", a->run.input, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->run.image_size, &model, err);
    if (st)
        return st;
    st = ptq_run(model, &a->run, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

const command cmd_run = {
    .name = "run",
    .summary = "one forward pass, tensors to files",
    .operands = "MODEL",
    .usage = " --input FILE [options]",
    .about = "Run a model once and write its outputs.",
    .examples = {"ptq run yolov7.pt --input street.jpg --out-dir out",
                 "ptq run yolov7.int8.onnx --input batch.npy --precision fp32 --tap model.51.act"},
    .groups = (const option_group[]){{"Run", RUN_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(run_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(run_args),
    .init = init,
    .run = run,
};
