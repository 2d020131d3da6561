/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared_options.h"

typedef struct quantize_args {
    general_args general;
    ptq_load_options load;
    ptq_quantize_options quantize;
} quantize_args;

static const char *const TARGETS[] = {"tensorrt10", "tensorrt11", "onnxruntime", NULL};
static const char *const METRICS[] = {"map", "fidelity", NULL};
static const char *const EFFORTS[] = {"quick", "default", "thorough", NULL};

static const option GOAL_OPTIONS[] = {
    {.name = "target",
     .type = OPTION_CHOICE,
     .offset = offsetof(quantize_args, quantize.target),
     .value = "NAME",
     .choices = TARGETS,
     .is_common = true,
     .brief = "tensorrt10, tensorrt11, onnxruntime",
     .help = "where Q and DQ must sit: tensorrt10, tensorrt11 or onnxruntime"},
    {.name = "keep16",
     .type = OPTION_INT,
     .offset = offsetof(quantize_args, quantize.keep16),
     .value = "N",
     .max = 10000,
     .is_common = true,
     .brief = "keep the N worst layers in 16 bit",
     .help = "keep the N layers in 16 bit whose quantizers cost most, one after the other"},
    {.name = "max-ms",
     .type = OPTION_NUMBER,
     .offset = offsetof(quantize_args, quantize.max_ms),
     .value = "X",
     .max = 1e9,
     .preset = "no bound",
     .help = "keep what improves most in 16 bit as long as an image takes no longer, here"},
    {.name = "max-drop",
     .type = OPTION_NUMBER,
     .offset = offsetof(quantize_args, quantize.max_drop),
     .value = "X",
     .max = 1,
     .preset = "no gate",
     .is_common = true,
     .brief = "highest loss of mAP (0.005), else exit 1",
     .help =
         "allowed loss of mAP as a fraction (0.005): exit code 1 when the evaluation exceeds it; "
         "with an --effort above quick layers are kept in 16 bit until it is met on the "
         "calibration images"},
    {.name = "metric",
     .type = OPTION_CHOICE,
     .offset = offsetof(quantize_args, quantize.metric),
     .choices = METRICS,
     .is_common = true,
     .brief = "fidelity needs no labels",
     .help = "what ranking and gate go by: mAP, or likeness to the float model's detections, which "
             "needs no labels"},
    {.name = "effort",
     .type = OPTION_CHOICE,
     .offset = offsetof(quantize_args, quantize.effort),
     .choices = EFFORTS,
     .is_common = true,
     .brief = "default: minutes, for most of the loss",
     .help =
         "quick: ranges as calibrated; default, for minutes: searched ranges, fitted weights, up "
         "to 9 % of the layers in 16 bit; thorough: the same on more images"},
    {.name = "float-weights",
     .type = OPTION_FLAG,
     .offset = offsetof(quantize_args, quantize.quant.float_weights),
     .help = "float weights behind Q and DQ: the float graph can be restored from the file"},
    {.name = "eval",
     .type = OPTION_SWITCH,
     .offset = offsetof(quantize_args, quantize.evaluate),
     .help = "measure FP32, 16 bit and INT8 at the end"},
    {.name = "simulate",
     .type = OPTION_FLAG,
     .offset = offsetof(quantize_args, quantize.simulate),
     .help = "no file: measure the quantizers in float, also those that no runtime has"},
    {.name = "annotations",
     .type = OPTION_TEXT,
     .offset = offsetof(quantize_args, quantize.data.annotations),
     .value = "FILE",
     .help = "COCO instances, instead of those the data yaml names"},
    OPTIONS_END,
};

static const option OUTPUT_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(quantize_args, quantize.output),
     .value = "FILE",
     .preset = "NAME.int8.onnx, here",
     .is_common = true,
     .help = "the quantized model"},
    {.name = "report",
     .type = OPTION_TEXT,
     .offset = offsetof(quantize_args, quantize.report_dir),
     .value = "DIR",
     .is_common = true,
     .brief = "a folder for a page to look at",
     .help = "a folder for index.html, a page to look at, and report.json"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(quantize_args, quantize.force),
     .is_common = true,
     .help = "replace outputs when they exist"},
    OPTIONS_END,
};

static void init(void *args)
{
    quantize_args *a = args;
    ptq_quantize_options_init(&a->quantize);
}

/* A run that was stopped kept something: the library knows whether the output is that run's. */
static bool may_go_on(const char *output)
{
    char journal[4096];
    const char *slash = strrchr(output, '/');
    int n = slash ? (int)(slash + 1 - output) : 0;
    snprintf(journal, sizeof journal, "%.*s.%s.journal", n, output, output + n);
    return access(journal, F_OK) == 0;
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const quantize_args *a = args;
    ptq_quantize_options o = a->quantize;
    char name[1024];
    if (!o.output && !o.simulate) {
        cli_default_output(c->operands[0], ".int8.onnx", name, sizeof name);
        o.output = name;
    }
    ptq_status st = PTQ_OK;
    if (!o.quant.calib_from && !o.quant.config)
        st = cli_require("quantize", "--data FILE", o.data.yaml, err);
    else if (o.evaluate)
        st = cli_require("quantize", "--data FILE to measure with, or --no-eval", o.data.yaml, err);
    if (!st)
        st = cli_check_model_output(o.output, c->operands[0],
                                    o.force || (o.output && may_go_on(o.output)), &o.form, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->quantize.data.image_size, &model, err);
    if (st)
        return st;
    st = ptq_quantize(model, &o, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

#define IN_QUANTIZE(field) offsetof(quantize_args, quantize.field)

const command cmd_quantize = {
    .name = "quantize",
    .summary = "calibrate, quantize, measure, write the model",
    .operands = "MODEL",
    .usage = " --data FILE [options]",
    .about = "Quantize a detector to int8 with calibration images, measure the loss, write an ONNX "
             "file with Q/DQ nodes.",
    .examples = {"ptq quantize yolov7.pt --data coco.yaml -o int8.onnx --max-drop 0.005",
                 "ptq quantize yolov7.pt --data coco.yaml --exclude 'model\\.105\\..*'"},
    .groups = (const option_group[]){{"Data", DATA_OPTIONS, IN_QUANTIZE(data)},
                                     {"Data", LIMIT_OPTIONS, IN_QUANTIZE(data)},
                                     {"Calibration", METHOD_OPTIONS, IN_QUANTIZE(quant)},
                                     {"Calibration", RANGE_OPTIONS, IN_QUANTIZE(quant)},
                                     {"Quantizers", PLACE_OPTIONS, IN_QUANTIZE(quant)},
                                     {"Quantizers", SAVE_OPTIONS, IN_QUANTIZE(quant)},
                                     {"Goal", GOAL_OPTIONS, 0},
                                     {"File", FORM_OPTIONS, IN_QUANTIZE(form)},
                                     {"Output", OUTPUT_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(quantize_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(quantize_args),
    .init = init,
    .run = run,
};
