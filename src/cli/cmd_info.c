/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "shared_options.h"

typedef struct info_args {
    general_args general;
    ptq_load_options load;
    ptq_info_options info;
    bool kernels;
} info_args;

static const char *const TARGETS[] = {"tensorrt10", "tensorrt11", "onnxruntime", NULL};

static const option INFO_OPTIONS[] = {
    {.name = "quant",
     .type = OPTION_FLAG,
     .offset = offsetof(info_args, info.quant),
     .is_common = true,
     .help = "the structure with its quantizers: those in the file, else those that automatic "
             "insertion would put"},
    {.name = "nodes",
     .type = OPTION_FLAG,
     .offset = offsetof(info_args, info.nodes),
     .is_common = true,
     .help = "one line per node"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(info_args, info.image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "input size for shapes and GFLOPs"},
    {.name = "target",
     .type = OPTION_CHOICE,
     .offset = offsetof(info_args, info.target),
     .value = "NAME",
     .choices = TARGETS,
     .help = "with --quant: whose wishes count for the quantizers"},
    {.name = "kernels",
     .type = OPTION_FLAG,
     .offset = offsetof(info_args, kernels),
     .is_common = true,
     .help = "no model: what this machine offers, and the kernel of each family"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(info_args, info.force),
     .help = "replace the file of --save-config when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    info_args *a = args;
    ptq_info_options_init(&a->info);
    a->load.keep_unfused = true;
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const info_args *a = args;
    if (a->kernels && c->n_operands > 0)
        return usage_error(err, "--kernels is about this machine and takes no MODEL");
    if (a->kernels)
        return ptq_info_machine(c->env, out, err);
    if (c->n_operands == 0)
        return usage_error(err, "'info' needs a MODEL, or --kernels");
    ptq_model *model;
    ptq_status st = cli_load(c, 0, &a->load, a->info.image_size, &model, err);
    if (st)
        return st;
    st = ptq_info(model, &a->info, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

#define QUANTIZERS offsetof(info_args, info.quantizers)

const command cmd_info = {
    .name = "info",
    .summary = "what is in a model file, before and after fusing",
    .operands = "MODEL",
    .usage = " [options]",
    .about = "Show what is in a model file: inputs, outputs, operators, sizes before and after "
             "fusing, quantizers. MODEL is a .pt checkpoint or an .onnx file, here and everywhere.",
    .examples = {"ptq info yolov7.pt --quant --save-config quant.yaml", "ptq info --kernels"},
    .groups = (const option_group[]){{"What to show", INFO_OPTIONS, 0},
                                     {"Quantizers, with --quant", METHOD_OPTIONS, QUANTIZERS},
                                     {"Quantizers, with --quant", PLACE_OPTIONS, QUANTIZERS},
                                     {"Quantizers, with --quant", SAVE_OPTIONS, QUANTIZERS},
                                     {"Model", MODEL_OPTIONS, offsetof(info_args, load)},
                                     OPTIONS_END},
    .min_operands = 0,
    .max_operands = 1,
    .args_bytes = sizeof(info_args),
    .init = init,
    .run = run,
};
