/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct detect_args {
    general_args general;
    ptq_load_options load;
    ptq_detect_options detect;
} detect_args;

static const option DETECT_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(detect_args, detect.out_dir),
     .value = "DIR",
     .is_common = true,
     .help = "a folder for copies of the pictures with boxes, names and scores"},
    {.name = "conf",
     .type = OPTION_NUMBER,
     .offset = offsetof(detect_args, detect.conf),
     .value = "X",
     .max = 1,
     .is_common = true,
     .help = "lowest score that counts"},
    {.name = "iou",
     .type = OPTION_NUMBER,
     .offset = offsetof(detect_args, detect.iou),
     .value = "X",
     .max = 1,
     .is_common = true,
     .help = "of two boxes of a class that overlap more, the better stays"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(detect_args, detect.image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "size that pictures are letterboxed to"},
    {.name = "precision",
     .type = OPTION_ENUM,
     .offset = offsetof(detect_args, detect.precision),
     .value = "P",
     .choices = PRECISIONS,
     .is_common = true,
     .help = "fp32, fp16 (simulated), bf16 or int8; auto: int8 for a quantized model"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(detect_args, detect.force),
     .is_common = true,
     .help = "replace pictures that exist in the folder"},
    OPTIONS_END,
};

static void init(void *args)
{
    detect_args *a = args;
    ptq_detect_options_init(&a->detect);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const detect_args *a = args;
    ptq_detect_options o = a->detect;
    o.images = c->operands + 1;
    ptq_model *model;
    ptq_status st = cli_load(c, 0, &a->load, a->detect.image_size, &model, err);
    if (st)
        return st;
    st = ptq_detect(model, &o, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

const command cmd_detect = {
    .name = "detect",
    .summary = "boxes on pictures",
    .operands = "MODEL IMAGE...",
    .usage = " [-o DIR] [options]",
    .about = "Find objects in pictures: JPEG or PNG files, folders, patterns or lists (.txt).",
    .examples = {"ptq detect yolov7.int8.onnx street.jpg -o found",
                 "ptq detect yolov7.pt 'holiday/*.jpg' --conf 0.4 --json"},
    .groups = (const option_group[]){{"Detect", DETECT_OPTIONS, 0},
                                     {"Model", MODEL_OPTIONS, offsetof(detect_args, load)},
                                     OPTIONS_END},
    .min_operands = 2,
    .max_operands = 1 << 30,
    .args_bytes = sizeof(detect_args),
    .init = init,
    .run = run,
};
