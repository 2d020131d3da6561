/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "options.h"
#include "shared_options.h"

typedef struct compare_args {
    general_args general;
    ptq_load_options load;
    ptq_compare_options compare;
} compare_args;

static const option INPUT_OPTIONS[] = {
    {.name = "input",
     .type = OPTION_TEXT,
     .offset = offsetof(compare_args, compare.input),
     .value = "FILE",
     .is_common = true,
     .help = "one .npy or picture instead of --data: tensors only"},
    OPTIONS_END,
};

static const option PICTURE_OPTIONS[] = {
    {.name = "images",
     .type = OPTION_TEXT,
     .offset = offsetof(compare_args, compare.images),
     .value = "DIR",
     .is_common = true,
     .help = "paint the first 16 pictures there, the boxes of A on the left, of B on the right"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(compare_args, compare.force),
     .help = "replace pictures that exist in that folder"},
    OPTIONS_END,
};

static const option PRECISION_OPTIONS[] = {
    {.name = "precision-a",
     .type = OPTION_ENUM,
     .offset = offsetof(compare_args, compare.precision_a),
     .value = "P",
     .choices = PRECISIONS,
     .help = "how the first model is run; auto is int8 for a file with Q/DQ, else fp32"},
    {.name = "precision-b",
     .type = OPTION_ENUM,
     .offset = offsetof(compare_args, compare.precision_b),
     .value = "P",
     .choices = PRECISIONS,
     .help = "how the second is run; one Q/DQ file as both, int8 and fp32, shows how far integers "
             "drift from their simulation"},
    OPTIONS_END,
};

static void init(void *args)
{
    compare_args *a = args;
    ptq_compare_options_init(&a->compare);
}

/* What a command printed with --json: no model begins so. */
static bool is_document(const char *path)
{
    FILE *f = fopen(path, "rb");
    int first = f ? fgetc(f) : EOF;
    while (first == ' ' || first == '\n' || first == '\r' || first == '\t')
        first = fgetc(f);
    if (f)
        fclose(f);
    return first == '{';
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const compare_args *a = args;
    if (is_document(c->operands[0]) && is_document(c->operands[1]))
        return ptq_compare_results(c->operands[0], c->operands[1], c->env, out, err);
    if (!a->compare.data.yaml && !a->compare.input)
        return usage_error(err, "'compare' needs --data FILE or --input FILE");
    ptq_model *models[2] = {NULL, NULL};
    ptq_status st = cli_load(c, 0, &a->load, a->compare.data.image_size, &models[0], err);
    if (!st)
        st = cli_load(c, 1, &a->load, a->compare.data.image_size, &models[1], err);
    if (!st)
        st = ptq_compare(models[0], models[1], &a->compare, c->env, out, err);
    ptq_model_destroy(models[0]);
    ptq_model_destroy(models[1]);
    return st;
}

#define IN_COMPARE(field) offsetof(compare_args, compare.field)

const command cmd_compare = {
    .name = "compare",
    .summary = "two models: tensors, accuracy, speed, size",
    .operands = "A B",
    .usage = " --data FILE [options]",
    .about = "Compare two models tensor by tensor on the same inputs and, with --data, their "
             "accuracy, speed and size side by side. Two files that 'ptq eval', 'quantize' or "
             "'compare' printed with --json are set side by side as they are, if both were "
             "measured by one protocol.",
    .examples = {"ptq compare yolov7.pt yolov7.int8.onnx --data coco.yaml --images both",
                 "ptq compare q.onnx q.onnx --precision-b fp32 --input street.jpg"},
    .groups = (const option_group[]){{"Data", DATA_OPTIONS, IN_COMPARE(data)},
                                     {"Data", BATCH_OPTIONS, IN_COMPARE(data)},
                                     {"Data", INPUT_OPTIONS, 0},
                                     {"Data", SPLIT_OPTIONS, IN_COMPARE(data)},
                                     {"Data", LIMIT_OPTIONS, IN_COMPARE(data)},
                                     {"Pictures", PICTURE_OPTIONS, 0},
                                     {"Models", PRECISION_OPTIONS, 0},
                                     {"Models", MODEL_OPTIONS, offsetof(compare_args, load)},
                                     OPTIONS_END},
    .min_operands = 2,
    .max_operands = 2,
    .args_bytes = sizeof(compare_args),
    .init = init,
    .run = run,
};
