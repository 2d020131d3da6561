/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct lint_args {
    general_args general;
    ptq_lint_options lint;
} lint_args;

static const char *const TARGETS[] = {"tensorrt10", "tensorrt11", "onnxruntime", NULL};

static const option LINT_OPTIONS[] = {
    {.name = "target",
     .type = OPTION_CHOICE,
     .offset = offsetof(lint_args, lint.target),
     .value = "NAME",
     .choices = TARGETS,
     .is_common = true,
     .help = "who will read the file: tensorrt10, tensorrt11 or onnxruntime"},
    {.name = "max-bytes",
     .type = OPTION_SIZE,
     .offset = offsetof(lint_args, lint.max_bytes),
     .value = "SIZE",
     .preset = "4G",
     .help = "refuse larger files and tensors"},
    OPTIONS_END,
};

static void init(void *args)
{
    lint_args *a = args;
    ptq_lint_options_init(&a->lint);
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const lint_args *a = args;
    return ptq_lint(c->operands[0], &a->lint, c->env, out, err);
}

const command cmd_lint = {
    .name = "lint",
    .summary = "what TensorRT or ONNX Runtime will make of a file",
    .operands = "MODEL.onnx",
    .usage = " --target NAME [options]",
    .about = "Say what a target will refuse or run slower, in which precision it will run each "
             "layer and why, and which option or line of quant.yaml mends it. The target itself is "
             "neither needed nor run: this is a forecast. The exit code is 1 when something is "
             "an error.",
    .examples = {"ptq lint yolov7.int8.onnx --target tensorrt10",
                 "ptq lint yolov7.int8.onnx --target tensorrt11 --json"},
    .groups = (const option_group[]){{"Target", LINT_OPTIONS, 0}, OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(lint_args),
    .init = init,
    .run = run,
};
