/* SPDX-License-Identifier: Apache-2.0 */
/* options.h — reads a command line into a command's argument struct. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "command.h"

typedef enum help_wish { HELP_NONE, HELP_SHORT, HELP_FULL } help_wish;

typedef struct parsed {
    help_wish help;        /* -h or --help was met: nothing after it was read */
    const char **operands; /* NULL-terminated */
    int n_operands;
    const option *culprit; /* the option that an error is about, or NULL */
    size_t culprit_base;
    const char **lists[8]; /* what OPTION_TEXTS point to */
    int n_lists;
} parsed;

/* The groups of a command and then the general ones. Group i, or NULL after the last. */
const option_group *options_group(const command *cmd, int i);

/* The command's defaults, in zeroed arguments. */
void options_init(const command *cmd, void *args);

/* What PTQ_THREADS and PTQ_CPU say. */
ptq_status options_environment(general_args *general, ptq_error *err);

/* Reads argv[0..argc). PTQ_USAGE: a value is wrong, an option unknown, an operand missing. What
 * `out` holds must be given to options_release() in every case. */
ptq_status options_parse(const command *cmd, void *args, int argc, char **argv, parsed *out,
                         ptq_error *err);
void options_release(parsed *p);

/* Fills *err as a usage error and returns PTQ_USAGE. */
ptq_status usage_error(ptq_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
