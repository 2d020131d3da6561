/* SPDX-License-Identifier: Apache-2.0 */
/* lint/lint.h — what a target will make of a file: what it refuses, what runs slower, and in which
 * precision each layer runs. The target itself is not run: this is a forecast from its rules.
 */
#ifndef LINT_LINT_H
#define LINT_LINT_H

#include "base/arena.h"
#include "base/env.h"
#include "lint/rules.h"

typedef struct lint_finding {
    lint_rule rule;
    lint_severity severity;
    const char *node; /* "" when it is about the file */
    const char *message;
    const char *fix; /* the option, or the line of quant.yaml, that mends it */
} lint_finding;

/* One convolution or matmul. `precision` is that of its products: "int8", "fp8", "fp16", "bf16" or
 * "fp32"; "mixed" for integer weights that meet float activations. */
typedef struct lint_forecast {
    const char *node;
    const char *op;
    const char *precision;
    const char *reason;
} lint_forecast;

typedef struct lint_report {
    arena *arena; /* owns the strings */
    int opset;
    lint_finding *findings; /* errors first, then in the order of the rules and of the file */
    size_t n_findings, cap_findings;
    lint_forecast *forecast; /* in the order of the file */
    size_t n_forecast, cap_forecast;
    size_t n_of[LINT_N_SEVERITIES];
} lint_report;

typedef struct lint_options {
    lint_target target;
    size_t max_bytes; /* 0: 4 GiB */
    size_t max_depth; /* of nested messages; 0: 100 */
} lint_options;

PTQ_CHECKED ptq_status lint_file(const char *path, const lint_options *options, const ptq_env *env,
                                 lint_report *out, ptq_error *err);
void lint_report_clear(lint_report *r);

#endif
