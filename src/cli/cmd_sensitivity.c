/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct sensitivity_args {
    general_args general;
    ptq_load_options load;
    ptq_sensitivity_options sensitivity;
} sensitivity_args;

static const char *const MODES[] = {"only", "all-but", NULL};
static const char *const METRICS[] = {"map", "fidelity", "sqnr", NULL};
static const char *const GRAINS[] = {"conv", "block", NULL};

static const option RANKING_OPTIONS[] = {
    {.name = "mode",
     .type = OPTION_CHOICE,
     .offset = offsetof(sensitivity_args, sensitivity.mode),
     .choices = MODES,
     .is_common = true,
     .brief = "one layer quantized, or one layer float",
     .help = "only: one layer quantized, all others float; all-but: one layer float"},
    {.name = "metric",
     .type = OPTION_CHOICE,
     .offset = offsetof(sensitivity_args, sensitivity.metric),
     .choices = METRICS,
     .is_common = true,
     .brief = "map needs labels, the others none",
     .help =
         "what is compared: mAP on the images, likeness to the float model's detections, or the "
         "signal-to-noise ratio of the outputs; the latter two need no labels"},
    {.name = "granularity",
     .type = OPTION_CHOICE,
     .offset = offsetof(sensitivity_args, sensitivity.granularity),
     .choices = GRAINS,
     .is_common = true,
     .brief = "one layer or one block at a time",
     .help = "one convolution at a time, or one block of the model"},
    {.name = "top",
     .type = OPTION_INT,
     .offset = offsetof(sensitivity_args, sensitivity.top),
     .value = "N",
     .min = 1,
     .max = 10000,
     .is_common = true,
     .help = "name the N worst"},
    {.name = "exhaustive",
     .type = OPTION_FLAG,
     .offset = offsetof(sensitivity_args, sensitivity.exhaustive),
     .help = "every layer on every image, instead of as few as settle who is worst"},
    {.name = "confidence",
     .type = OPTION_NUMBER,
     .offset = offsetof(sensitivity_args, sensitivity.confidence),
     .value = "X",
     .min = 0.5,
     .max = 0.9999,
     .help = "of the interval low...high"},
    {.name = "memory",
     .type = OPTION_SIZE,
     .offset = offsetof(sensitivity_args, sensitivity.memory_bytes),
     .value = "SIZE",
     .preset = "2G",
     .help = "for the tensors of an image that networks share"},
    {.name = "journal",
     .type = OPTION_TEXT,
     .offset = offsetof(sensitivity_args, sensitivity.journal),
     .value = "FILE",
     .is_common = true,
     .brief = "go on from there after an interruption",
     .help = "note what is measured there, and go on from there when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    sensitivity_args *a = args;
    ptq_sensitivity_options_init(&a->sensitivity);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const sensitivity_args *a = args;
    ptq_status st = cli_require("sensitivity", "--data FILE", a->sensitivity.data.yaml, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->sensitivity.data.image_size, &model, err);
    if (st)
        return st;
    st = ptq_sensitivity(model, &a->sensitivity, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

#define IN_SENSITIVITY(field) offsetof(sensitivity_args, sensitivity.field)

const command cmd_sensitivity = {
    .name = "sensitivity",
    .summary = "which layers cost accuracy when they are quantized",
    .operands = "MODEL",
    .usage = " --data FILE [options]",
    .about = "Rank the layers by what quantizing them costs.",
    .examples = {"ptq sensitivity yolov7.pt --data coco.yaml --limit 500 --top 10",
                 "ptq sensitivity yolov7.pt --data coco.yaml --mode all-but --journal rank.json"},
    .groups = (const option_group[]){{"Data", DATA_OPTIONS, IN_SENSITIVITY(data)},
                                     {"Data", BATCH_OPTIONS, IN_SENSITIVITY(data)},
                                     {"Data", SPLIT_OPTIONS, IN_SENSITIVITY(data)},
                                     {"Data", LIMIT_OPTIONS, IN_SENSITIVITY(data)},
                                     {"Data", PROTOCOL_OPTIONS, IN_SENSITIVITY(data)},
                                     {"Ranking", RANKING_OPTIONS, 0},
                                     {"Calibration", METHOD_OPTIONS, IN_SENSITIVITY(quant)},
                                     {"Calibration", RANGE_OPTIONS, IN_SENSITIVITY(quant)},
                                     {"Quantizers", PLACE_OPTIONS, IN_SENSITIVITY(quant)},
                                     {"Model", MODEL_OPTIONS, offsetof(sensitivity_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(sensitivity_args),
    .init = init,
    .run = run,
};
