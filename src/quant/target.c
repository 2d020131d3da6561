/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/target.h"

#include <stddef.h>
#include <string.h>

static const quant_target TARGETS[] = {
    {.name = "tensorrt10", .share_scales = true, .residual = true, .opset = 13},
    {.name = "tensorrt11", .share_scales = true, .residual = true, .is_half = true, .opset = 19},
    {.name = "onnxruntime", .share_scales = true, .on_codes = true, .opset = 13},
};

const quant_target *quant_target_find(const char *name)
{
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++)
        if (strcmp(TARGETS[i].name, name) == 0)
            return &TARGETS[i];
    return NULL;
}
