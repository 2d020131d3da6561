/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/rules.h"

#include <string.h>

#define RULE(name, id, trt10, trt11, ort, title, fix)                                              \
    {id, {LINT_##trt10, LINT_##trt11, LINT_##ort}, title, fix},
static const lint_rule_info RULES[] = {
#include "lint/rules.def"
};
#undef RULE

static const char *const TARGETS[] = {"tensorrt10", "tensorrt11", "onnxruntime"};

const lint_rule_info *lint_rule_of(lint_rule rule)
{
    return &RULES[rule];
}

const char *lint_target_name(lint_target target)
{
    return TARGETS[target];
}

const char *lint_severity_name(lint_severity severity)
{
    static const char *const names[] = {"-", "error", "warning", "info"};
    return names[severity];
}

ptq_status lint_target_parse(const char *name, lint_target *out, ptq_error *err)
{
    for (int i = 0; i < LINT_N_TARGETS; i++)
        if (name && strcmp(name, TARGETS[i]) == 0) {
            *out = (lint_target)i;
            return PTQ_OK;
        }
    return error_set(err, PTQ_USAGE, "target '%s' is none of tensorrt10, tensorrt11, onnxruntime",
                     name ? name : "");
}
