/* SPDX-License-Identifier: Apache-2.0 */
/* command.h — a command of the program: what it is called, what it takes, what it calls. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "option.h"
#include "ptq/ptq.h"

/* What a command's run function is given besides its own arguments. */
typedef struct cli {
    const ptq_env *env;
    const char *const *operands; /* NULL-terminated */
    int n_operands;
} cli;

/* Every command's argument struct begins with these. */
typedef struct general_args {
    bool json;
    int quiet;
    int verbose;
    bool progress;
    const char *color;
    int threads;
    const char *cpu;
    const char *without;
    uint64_t seed;
} general_args;

typedef struct command {
    const char *name;
    const char *summary;  /* in the list of commands */
    const char *operands; /* "MODEL", "A B" */
    const char *usage;    /* the rest of the usage line */
    const char *about;    /* a paragraph above the options */
    const char *examples[2];
    const option_group *groups; /* ends with a NULL title; general options are added to them */
    int min_operands, max_operands;
    size_t args_bytes;
    void (*init)(void *args); /* `args` is zeroed and its general_args are filled */
    ptq_status (*run)(const cli *c, const void *args, ptq_result **out, ptq_error *err);
} command;

extern const command cmd_list, cmd_info, cmd_run, cmd_eval, cmd_calibrate, cmd_quantize,
    cmd_sensitivity, cmd_export, cmd_bench, cmd_compare, cmd_lint, cmd_detect, cmd_report;

/* In the order in which a person meets them; ends with NULL. */
extern const command *const COMMANDS[];

#endif
