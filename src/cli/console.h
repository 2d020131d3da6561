/* SPDX-License-Identifier: Apache-2.0 */
/* console.h — what goes to standard error: warnings once each, one progress line, errors.
 *
 * Results go to standard output and nothing else does. The progress line exists only on a terminal,
 * appears after a second, and is gone before anything else is written.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ptq/ptq.h"

typedef struct console {
    bool is_quiet; /* no warnings, no progress */
    int verbose;   /* 1: what is done; 2: details and where errors come from */
    bool has_color;
    bool has_progress;
    bool is_line_shown;
    char stage[64]; /* what the progress line is about */
    size_t stage_done;
    double stage_start_s;
    double last_update_s;
    char **said; /* distinct warnings so far */
    size_t n_said;
} console;

/* `color` is "auto", "always" or "never". */
void console_init(console *c, const char *color, bool wants_progress);
void console_destroy(console *c);

/* The first word on a terminal, before anything was loaded. */
void console_begin(console *c, const char *command);

/* For ptq_env: `user` is the console. */
void console_log(void *user, ptq_log_level level, const char *message);
void console_progress(void *user, const char *what, size_t done, size_t total);

/* "ptq: MESSAGE", and on a second line `hint` when there is one. */
void console_error(console *c, const ptq_error *err, const char *hint);

#endif
