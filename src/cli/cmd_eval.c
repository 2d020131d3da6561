/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "shared_options.h"

typedef struct eval_args {
    general_args general;
    ptq_load_options load;
    ptq_eval_options eval;
    const char *detections;
} eval_args;

static const option SCORE_OPTIONS[] = {
    {.name = "conf",
     .type = OPTION_NUMBER,
     .offset = offsetof(eval_args, eval.conf),
     .value = "X",
     .max = 1,
     .is_common = true,
     .help = "lowest confidence of a detection"},
    {.name = "iou",
     .type = OPTION_NUMBER,
     .offset = offsetof(eval_args, eval.iou),
     .value = "X",
     .max = 1,
     .is_common = true,
     .help = "overlap from which NMS drops a box"},
    {.name = "precision",
     .type = OPTION_ENUM,
     .offset = offsetof(eval_args, eval.precision),
     .value = "P",
     .choices = PRECISIONS,
     .is_common = true,
     .help = "fp32, fp16 (simulated), bf16 or int8; auto: int8 for a quantized model"},
    {.name = "per-class",
     .type = OPTION_FLAG,
     .offset = offsetof(eval_args, eval.per_class),
     .is_common = true,
     .help = "a line for each class"},
    {.name = "coco",
     .type = OPTION_FLAG,
     .offset = offsetof(eval_args, eval.coco),
     .is_common = true,
     .help = "pycocotools' twelve numbers, too"},
    OPTIONS_END,
};

static const option EXCHANGE_OPTIONS[] = {
    {.name = "save-detections",
     .type = OPTION_TEXT,
     .offset = offsetof(eval_args, eval.save_detections),
     .value = "FILE",
     .is_common = true,
     .help = "write a COCO results file"},
    {.name = "detections",
     .type = OPTION_TEXT,
     .offset = offsetof(eval_args, detections),
     .value = "FILE",
     .is_common = true,
     .help = "no model: score this COCO results file against --annotations"},
    {.name = "save-inputs",
     .type = OPTION_TEXT,
     .offset = offsetof(eval_args, eval.save_inputs),
     .value = "DIR",
     .help = "write the letterboxed tensors with an index, for another runtime"},
    {.name = "from-outputs",
     .type = OPTION_TEXT,
     .offset = offsetof(eval_args, eval.from_outputs),
     .value = "DIR",
     .help = "score the outputs that another runtime made of them"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(eval_args, eval.force),
     .help = "replace outputs when they exist"},
    OPTIONS_END,
};

static void init(void *args)
{
    eval_args *a = args;
    ptq_eval_options_init(&a->eval);
}

static ptq_status score_file(const cli *c, const eval_args *a, ptq_result **out, ptq_error *err)
{
    if (c->n_operands > 0)
        return usage_error(err, "--detections is scored without a MODEL; leave out '%s'",
                           c->operands[0]);
    ptq_status st =
        cli_require("eval --detections", "--annotations FILE, too", a->eval.data.annotations, err);
    return st ? st : ptq_eval_detections(a->detections, a->eval.data.annotations, c->env, out, err);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const eval_args *a = args;
    if (a->detections)
        return score_file(c, a, out, err);
    if (c->n_operands == 0)
        return usage_error(err, "'eval' needs a MODEL, or --detections FILE");
    ptq_status st = cli_require("eval", "--data FILE", a->eval.data.yaml, err);
    if (!st)
        st = cli_check_output(a->eval.save_detections, NULL, a->eval.force, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->eval.data.image_size, &model, err);
    if (st)
        return st;
    st = ptq_eval(model, &a->eval, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

const command cmd_eval = {
    .name = "eval",
    .summary = "mAP of a model on a data set, or of a results file",
    .operands = "MODEL",
    .usage = " --data FILE [options]",
    .about = "Measure mAP as YOLOv7's test.py does, and with --coco as pycocotools does.",
    .examples = {"ptq eval yolov7.pt --data coco.yaml --coco",
                 "ptq eval --detections found.json --annotations instances_val2017.json"},
    .groups = (const option_group[]){{"Data", DATA_OPTIONS, offsetof(eval_args, eval.data)},
                                     {"Data", BATCH_OPTIONS, offsetof(eval_args, eval.data)},
                                     {"Data", SPLIT_OPTIONS, offsetof(eval_args, eval.data)},
                                     {"Data", LIMIT_OPTIONS, offsetof(eval_args, eval.data)},
                                     {"Data", PROTOCOL_OPTIONS, offsetof(eval_args, eval.data)},
                                     {"Scoring", SCORE_OPTIONS, 0},
                                     {"Files", EXCHANGE_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(eval_args, load)},
                                     OPTIONS_END},
    .min_operands = 0,
    .max_operands = 1,
    .args_bytes = sizeof(eval_args),
    .init = init,
    .run = run,
};
