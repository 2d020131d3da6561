/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_BEFORE_PROGRESS 1.0
#define UPDATES_PER_SECOND 6.0

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static bool is_smart_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

void console_init(console *c, const char *color, bool wants_progress)
{
    *c = (console){0};
    if (strcmp(color, "auto") == 0)
        c->has_color = is_smart_terminal() && !is_set("NO_COLOR");
    else
        c->has_color = strcmp(color, "always") == 0;
    c->has_progress = wants_progress && is_smart_terminal() && !is_set("CI");
}

static void clear_line(console *c)
{
    if (c->is_line_shown)
        fputs("\r\033[K", stderr);
    c->is_line_shown = false;
}

void console_destroy(console *c)
{
    clear_line(c);
    for (size_t i = 0; i < c->n_said; i++)
        free(c->said[i]);
    free(c->said);
}

/* Remembers `message`; false when it was said before. */
static bool is_new(console *c, const char *message)
{
    for (size_t i = 0; i < c->n_said; i++)
        if (strcmp(c->said[i], message) == 0)
            return false;
    char **grown = realloc(c->said, (c->n_said + 1) * sizeof *grown);
    if (!grown)
        return true;
    c->said = grown;
    char *copy = strdup(message);
    if (copy)
        c->said[c->n_said++] = copy;
    return true;
}

void console_log(void *user, ptq_log_level level, const char *message)
{
    console *c = user;
    if (level == PTQ_LOG_WARNING) {
        if (c->is_quiet || !is_new(c, message))
            return;
        clear_line(c);
        fprintf(stderr, "ptq: %swarning:%s %s\n", c->has_color ? "\033[33m" : "",
                c->has_color ? "\033[0m" : "", message);
    } else if (c->verbose >= (int)level) {
        clear_line(c);
        fprintf(stderr, "%s\n", message);
    }
}

/* "12 s", "4:05", "2:10:00" */
static void print_left(double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s < 100)
        fprintf(stderr, ", %ld s left", s);
    else if (s < 3600)
        fprintf(stderr, ", %ld:%02ld left", s / 60, s % 60);
    else
        fprintf(stderr, ", %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
}

void console_begin(console *c, const char *command)
{
    if (!c->has_progress || c->is_quiet)
        return;
    fprintf(stderr, "\r%s: starting\033[K", command);
    fflush(stderr);
    c->is_line_shown = true;
}

void console_progress(void *user, const char *what, size_t done, size_t total)
{
    console *c = user;
    if (!c->has_progress || c->is_quiet || total == 0)
        return;
    double now = now_s();
    /* a stage that is done, or goes back, begins anew */
    if (strncmp(c->stage, what, sizeof c->stage - 1) != 0 || done < c->stage_done) {
        clear_line(c);
        snprintf(c->stage, sizeof c->stage, "%s", what);
        c->stage_start_s = now;
        c->last_update_s = 0;
    }
    c->stage_done = done;
    double elapsed = now - c->stage_start_s;
    if (done >= total) {
        clear_line(c);
        c->stage[0] = '\0';
        return;
    }
    if (elapsed < SECONDS_BEFORE_PROGRESS || now - c->last_update_s < 1 / UPDATES_PER_SECOND)
        return;
    c->last_update_s = now;
    double rate = (double)done / elapsed;
    fprintf(stderr, "\r%.60s: %2.0f%% (%zu/%zu)", what, 100 * (double)done / (double)total, done,
            total);
    if (done > 0) {
        fprintf(stderr, ", %.1f/s", rate);
        print_left((double)(total - done) / rate);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
    c->is_line_shown = true;
}

void console_error(console *c, const ptq_error *err, const char *hint)
{
    clear_line(c);
    fprintf(stderr, "%sptq:%s %s", c->has_color ? "\033[31m" : "", c->has_color ? "\033[0m" : "",
            err->message);
    if (c->verbose >= 2 && err->file)
        fprintf(stderr, " (%s:%d)", err->file, err->line);
    fputs("\n", stderr);
    if (hint && *hint)
        fprintf(stderr, "%s\n", hint);
}
