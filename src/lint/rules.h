/* SPDX-License-Identifier: Apache-2.0 */
/* lint/rules.h — the rules, from the one list in rules.def: ids, severities, words. */
#ifndef LINT_RULES_H
#define LINT_RULES_H

#include "base/error.h"

typedef enum lint_target {
    LINT_TENSORRT10,
    LINT_TENSORRT11,
    LINT_ONNXRUNTIME,
    LINT_N_TARGETS
} lint_target;

typedef enum lint_severity {
    LINT_NONE, /* no rule for this target */
    LINT_ERROR,
    LINT_WARNING,
    LINT_INFO,
    LINT_N_SEVERITIES
} lint_severity;

#define RULE(name, ...) RULE_##name,
typedef enum lint_rule {
#include "lint/rules.def"
    RULE_COUNT
} lint_rule;
#undef RULE

typedef struct lint_rule_info {
    const char *id;
    lint_severity severity[LINT_N_TARGETS];
    const char *title;
    const char *fix;
} lint_rule_info;

const lint_rule_info *lint_rule_of(lint_rule rule);

const char *lint_target_name(lint_target target);       /* "tensorrt10" */
const char *lint_severity_name(lint_severity severity); /* "error"; "-" for LINT_NONE */
/* PTQ_USAGE names the targets there are. */
PTQ_CHECKED ptq_status lint_target_parse(const char *name, lint_target *out, ptq_error *err);

#endif
