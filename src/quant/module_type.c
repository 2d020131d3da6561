/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/module_type.h"

#include <string.h>

/* Classes of torch.nn beside the graph's own names. */
static const struct {
    const char *name;
    graph_op op;
} TORCH_TYPES[] = {
    {"Conv1d", GRAPH_OP_CONV},
    {"Conv2d", GRAPH_OP_CONV},
    {"Conv3d", GRAPH_OP_CONV},
    {"ConvTranspose1d", GRAPH_OP_CONV_TRANSPOSE},
    {"ConvTranspose2d", GRAPH_OP_CONV_TRANSPOSE},
    {"ConvTranspose3d", GRAPH_OP_CONV_TRANSPOSE},
    {"Linear", GRAPH_OP_GEMM},
    {"Linear", GRAPH_OP_MATMUL},
    {"AvgPool", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool1d", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool2d", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool3d", GRAPH_OP_AVERAGE_POOL},
    {"AdaptiveAvgPool1d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"AdaptiveAvgPool2d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"AdaptiveAvgPool3d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"MaxPool1d", GRAPH_OP_MAX_POOL},
    {"MaxPool2d", GRAPH_OP_MAX_POOL},
    {"MaxPool3d", GRAPH_OP_MAX_POOL},
    {"Upsample", GRAPH_OP_RESIZE},
};
enum { N_TORCH_TYPES = sizeof TORCH_TYPES / sizeof *TORCH_TYPES };

bool module_type_ops(const char *name, op_set *set)
{
    bool found = false;
    graph_op op;
    for (int i = 0; i < N_TORCH_TYPES; i++) {
        if (strcmp(TORCH_TYPES[i].name, name) == 0) {
            set->has[TORCH_TYPES[i].op] = true;
            found = true;
        }
    }
    if (graph_op_from_name(name, &op)) {
        set->has[op] = true;
        found = true;
    }
    return found;
}

bool module_type_is_refused(const char *name)
{
    return strcmp(name, "LSTM") == 0 || strcmp(name, "LSTMCell") == 0;
}

ptq_status module_type_refuse(const char *name, ptq_error *err)
{
    return error_set(err, PTQ_UNSUPPORTED,
                     "%s is in pytorch-quantization's default map but is not quantized here; a "
                     "model with one is not read",
                     name);
}

void module_type_names(const char *names[MODULE_TYPE_NAMES])
{
    int n = 0;
    for (int i = 0; i < N_TORCH_TYPES; i++)
        names[n++] = TORCH_TYPES[i].name;
    for (int i = 0; i < GRAPH_OP_COUNT; i++)
        names[n++] = graph_op_name((graph_op)i);
    names[n] = NULL;
}
