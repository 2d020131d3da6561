/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct export_args {
    general_args general;
    ptq_load_options load;
    ptq_export_options export;
} export_args;

static const option EXPORT_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(export_args, export.output),
     .value = "FILE",
     .preset = "NAME.fp32.onnx, here",
     .is_common = true,
     .help = "the ONNX file"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(export_args, export.image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "input size"},
    {.name = "opset",
     .type = OPTION_INT,
     .offset = offsetof(export_args, export.opset),
     .value = "N",
     .min = 13,
     .max = 21,
     .preset = "13; 19 for float16 with quantizers",
     .is_common = true,
     .help = "version of the ONNX operators"},
    {.name = "half",
     .type = OPTION_FLAG,
     .offset = offsetof(export_args, export.half),
     .help = "float16 inside, for runtimes that take types from the graph (TensorRT 11)"},
    {.name = "float",
     .type = OPTION_FLAG,
     .offset = offsetof(export_args, export.remove_quantizers),
     .help = "take the quantizers out of MODEL, which holds float weights (quantize "
             "--float-weights)"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(export_args, export.force),
     .is_common = true,
     .help = "replace the output when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    export_args *a = args;
    ptq_export_options_init(&a->export);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const export_args *a = args;
    ptq_export_options o = a->export;
    char name[1024];
    if (!o.output) {
        cli_default_output(c->operands[0], ".fp32.onnx", name, sizeof name);
        o.output = name;
    }
    ptq_status st = cli_check_model_output(o.output, c->operands[0], o.force, &o.form, err);
    if (st)
        return st;
    ptq_model *model;
    st = cli_load(c, 0, &a->load, a->export.image_size, &model, err);
    if (st)
        return st;
    st = ptq_export(model, &o, c->env, out, err);
    ptq_model_destroy(model);
    return st;
}

const command cmd_export = {
    .name = "export",
    .summary = "the float model as ONNX",
    .operands = "MODEL",
    .usage = " [-o FILE] [options]",
    .about = "Write the fused float model as ONNX.",
    .examples = {"ptq export yolov7.pt -o yolov7.onnx",
                 "ptq export yolov7.pt --imgsz 1280 --batch dynamic -o yolov7-1280.onnx"},
    .groups = (const option_group[]){{"Export", EXPORT_OPTIONS, 0},
                                     {"File", FORM_OPTIONS, offsetof(export_args, export.form)},
                                     {"Model", MODEL_OPTIONS, offsetof(export_args, load)},
                                     OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(export_args),
    .init = init,
    .run = run,
};
