/* SPDX-License-Identifier: Apache-2.0 */
/* What to do with a written file: the line that builds an engine of it, for the TensorRT it was
 * written for. That program is not run here, which is said, too. */
#include <string.h>

#include "report/view.h"

/* "--minShapes=images:1x3x640x640 ..." of a file whose batch is open. */
static void add_shapes(str *out, const json_t *input)
{
    static const char *const options[] = {"min", "opt", "max"};
    static const int images[] = {1, 8, 16};
    const json_t *shape = field_at(input, "shape");
    if (!json_is_array(shape) || json_integer_value(json_array_get(shape, 0)) > 0)
        return;
    for (int i = 0; i < 3; i++) {
        str_addf(out, " --%sShapes=%s:%d", options[i], field_text(input, "name", "images"),
                 images[i]);
        for (size_t k = 1; k < json_array_size(shape); k++)
            str_addf(out, "x%lld", (long long)json_integer_value(json_array_get(shape, k)));
    }
}

static void add_trtexec(str *out, const char *file, const char *flags, const json_t *input)
{
    size_t n = strlen(file);
    if (n > 5 && strcmp(file + n - 5, ".onnx") == 0)
        n -= 5;
    str_addf(out, "next: trtexec --onnx=%s --saveEngine=%.*s.engine%s", file, (int)n, file, flags);
    add_shapes(out, input);
    str_add(out, "\n");
}

void text_next_step(str *out, const report_view *view)
{
    const json_t *input = field_at(view->result, "input");
    const char *file = field_text(view->result, "output", NULL);
    bool is_half = field_flag(view->config, "half", false);
    const char *target = field_text(view->result, "target", is_half ? "tensorrt11" : "float");
    if (!file || !input)
        return;
    if (strcmp(target, "onnxruntime") == 0) {
        str_add(out, "next: load it with ONNX Runtime on a CPU, optimizations as they are by "
                     "default (not run here)\n");
        return;
    }
    if (strcmp(target, "tensorrt11") == 0) {
        add_trtexec(out, file, "", input);
        str_add(out, "      with TensorRT 11: the types are in the file (trtexec was not run "
                     "here)\n");
        return;
    }
    bool is_float = strcmp(target, "float") == 0;
    add_trtexec(out, file, is_float ? " --fp16" : " --int8 --fp16", input);
    str_addf(out, "      with TensorRT 8 to 10%s (trtexec was not run here)\n",
             is_float ? "" : ": --fp16 is for the layers that are not int8");
}
