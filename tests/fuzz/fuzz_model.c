/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a model: a zip with a pickle, or an ONNX graph, through folding and lowering. */
#include "fuzz.h"

#include "model/model.h"
#include "passes/passes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    model *m = NULL;
    ptq_error err;
    model_options o = {.max_bytes = (size_t)64 << 20, .max_depth = 100};
    if (!fuzz_file(data, size, path))
        return 0;
    if (model_load(path, &o, NULL, &m, &err) == PTQ_OK && m->graph) {
        bool is_lowered =
            passes_clean(m->graph, &err) == PTQ_OK &&
            pass_lower(m->graph, &(lower_options){.precision = PRECISION_INT8}, &err) == PTQ_OK;
        if (is_lowered && graph_verify(m->graph, &err) != PTQ_OK)
            abort();
    }
    model_destroy(m);
    unlink(path);
    return 0;
}
