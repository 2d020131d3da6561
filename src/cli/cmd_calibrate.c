/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct calibrate_args {
    general_args general;
    ptq_load_options load;
    ptq_calibrate_options calibrate;
} calibrate_args;

static const char *const CALIBS[] = {"max", "percentile", "entropy", "mse", NULL};
static const char *const TARGETS[] = {"tensorrt10", "tensorrt11", "onnxruntime", NULL};

static const option OUTPUT_OPTIONS[] = {
    {.name = "target",
     .type = OPTION_CHOICE,
     .offset = offsetof(calibrate_args, calibrate.target),
     .value = "NAME",
     .choices = TARGETS,
     .help = "whose ranges: tensorrt10, tensorrt11, or onnxruntime, which serves all three for "
             "twice the work"},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(calibrate_args, calibrate.output),
     .value = "FILE",
     .is_common = true,
     .help = "the ranges, for 'ptq quantize --calib-from'"},
    {.name = "trt-cache",
     .type = OPTION_TEXT,
     .offset = offsetof(calibrate_args, calibrate.trt_cache),
     .value = "FILE",
     .help = "also a calibration cache for TensorRT's implicit INT8, with ranges by --calib"},
    {.name = "trt-version",
     .type = OPTION_TEXT,
     .offset = offsetof(calibrate_args, calibrate.trt_version),
     .value = "X.Y.Z",
     .help = "the TensorRT that will read the cache: it refuses another's"},
    {.name = "calib",
     .type = OPTION_ENUM,
     .offset = offsetof(calibrate_args, calibrate.quant.calib),
     .value = "METHOD",
     .choices = CALIBS,
     .help = "the cache's ranges: max, percentile, entropy or mse"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(calibrate_args, calibrate.force),
     .help = "replace the output when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    calibrate_args *a = args;
    ptq_calibrate_options_init(&a->calibrate);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const calibrate_args *a = args;
    const ptq_calibrate_options *o = &a->calibrate;
    ptq_status st =
        cli_require("calibrate",
                    o->quant.config ? "--data FILE: it runs the model over pictures; where "
                                      "--quant-config gives every range, 'ptq quantize' with "
                                      "--no-eval needs neither"
                                    : "--data FILE",
                    o->data.yaml, err);
    if (!st)
        st = cli_check_output(o->output, c->operands[0], o->force, err);
    if (!st)
        st = cli_check_output(o->trt_cache, c->operands[0], o->force, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->calibrate.data.image_size, &model, err);
    if (st)
        return st;
    st = ptq_calibrate(model, o, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

#define IN_CALIBRATE(field) offsetof(calibrate_args, calibrate.field)

const command cmd_calibrate = {
    .name = "calibrate",
    .summary = "only collect activation ranges, by every method at once",
    .operands = "MODEL",
    .usage = " --data FILE [options]",
    .about = "Run the float model over calibration images once and find every tensor's range by "
             "max, percentile, entropy and mse.",
    .examples = {"ptq calibrate yolov7.pt --data coco.yaml -o ranges.json",
                 "ptq quantize yolov7.pt --data coco.yaml --calib-from ranges.json"},
    .groups = (const option_group[]){{"Data", DATA_OPTIONS, IN_CALIBRATE(data)},
                                     {"Data", BATCH_OPTIONS, IN_CALIBRATE(data)},
                                     {"Data", SPLIT_OPTIONS, IN_CALIBRATE(data)},
                                     {"Calibration", RANGE_OPTIONS, IN_CALIBRATE(quant)},
                                     {"Quantizers", PLACE_OPTIONS, IN_CALIBRATE(quant)},
                                     {"Output", OUTPUT_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(calibrate_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(calibrate_args),
    .init = init,
    .run = run,
};
