/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared_options.h"
#include "suggest.h"

enum { MAX_NAME = 64 };

/* Ranges that end here are spoken of as open. */
#define NO_MAXIMUM 1e9

ptq_status usage_error(ptq_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    err->code = PTQ_USAGE;
    err->file = NULL;
    return PTQ_USAGE;
}

const option_group *options_group(const command *cmd, int i)
{
    int n = 0;
    while (cmd->groups[n].title)
        n++;
    return i < n ? &cmd->groups[i] : i == n ? &GENERAL_GROUP : NULL;
}

/* ---------------------------------------------------------------- values */

static int choice_index(const option *o, const char *text, size_t n)
{
    for (int i = 0; o->choices[i]; i++)
        if (strlen(o->choices[i]) == n && memcmp(o->choices[i], text, n) == 0)
            return i;
    return -1;
}

static ptq_status bad_choice(const option *o, const char *text, ptq_error *err)
{
    suggestion best = {NULL, 0};
    char list[256] = "";
    for (int i = 0; o->choices[i]; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", o->choices[i]);
        suggest_nearer(&best, text, o->choices[i]);
    }
    const char *translation = suggest_translation(text);
    if (translation && choice_index(o, translation, strlen(translation)) >= 0)
        best.word = translation;
    if (best.word)
        return usage_error(err, "--%s cannot be '%s'; did you mean '%s'?", o->name, text,
                           best.word);
    return usage_error(err, "--%s cannot be '%s'; it is one of %s", o->name, text, list);
}

static ptq_status read_enums(const option *o, option_enums *out, const char *text, ptq_error *err)
{
    out->n = 0;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        int i = choice_index(o, p, n);
        if (i < 0) {
            char part[MAX_NAME];
            snprintf(part, sizeof part, "%.*s", (int)n, p);
            return bad_choice(o, part, err);
        }
        if (out->n == OPTION_MAX_ENUMS)
            return usage_error(err, "--%s has too many values in '%s'", o->name, text);
        out->values[out->n++] = i;
        p += n;
        if (!*p)
            return PTQ_OK;
    }
}

static ptq_status out_of_range(const option *o, const char *text, ptq_error *err)
{
    if (o->max >= NO_MAXIMUM)
        return usage_error(err, "--%s cannot be %s; it is at least %.12g", o->name, text, o->min);
    return usage_error(err, "--%s cannot be %s; it is between %.12g and %.12g", o->name, text,
                       o->min, o->max);
}

static ptq_status read_int(const option *o, int *out, const char *text, ptq_error *err)
{
    if (o->word && strcmp(text, o->word) == 0) {
        *out = -1;
        return PTQ_OK;
    }
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end)
        return usage_error(err, "--%s needs a whole number%s%s, not '%s'", o->name,
                           o->word ? " or " : "", o->word ? o->word : "", text);
    if (errno || (double)value < o->min || (double)value > o->max)
        return out_of_range(o, text, err);
    *out = (int)value;
    return PTQ_OK;
}

static ptq_status read_number(const option *o, double *out, const char *text, ptq_error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || isnan(value))
        return usage_error(err, "--%s needs a number, not '%s'", o->name, text);
    if (value < o->min || value > o->max)
        return out_of_range(o, text, err);
    *out = value;
    return PTQ_OK;
}

/* A whole number that is not negative, and the multiplier of its suffix. */
static ptq_status read_size(const option *o, uint64_t *out, const char *text, ptq_error *err)
{
    static const char SUFFIXES[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    const char *suffix = *end && o->type == OPTION_SIZE ? strchr(SUFFIXES, *end) : NULL;
    int shift = suffix ? 10 * (int)(suffix - SUFFIXES + 1) : 0;
    if (end == text || text[0] == '-' || end[suffix != NULL])
        return usage_error(err, "--%s needs a whole number%s, not '%s'", o->name,
                           o->type == OPTION_SIZE ? " such as 500M or 4G" : "", text);
    if (errno || value > (UINT64_MAX >> shift))
        return usage_error(err, "--%s cannot be %s; it is too large", o->name, text);
    *out = (uint64_t)value << shift;
    return PTQ_OK;
}

/* Lists grow in steps of one: command lines are short. */
static ptq_status add_text(parsed *p, const char *const **list, const char *text, ptq_error *err)
{
    int slot = 0;
    while (slot < p->n_lists && p->lists[slot] != *list)
        slot++;
    size_t n = 0;
    while (slot < p->n_lists && p->lists[slot][n])
        n++;
    const int max_lists = (int)(sizeof p->lists / sizeof *p->lists);
    const char **old = slot < p->n_lists ? p->lists[slot] : NULL;
    const char **grown = slot < max_lists ? realloc(old, (n + 2) * sizeof *grown) : NULL;
    if (!grown)
        return usage_error(err, "too many options");
    grown[n] = text;
    grown[n + 1] = NULL;
    p->lists[slot] = grown;
    p->n_lists += slot == p->n_lists;
    *list = grown;
    return PTQ_OK;
}

static ptq_status read_choice(const option *o, void *target, const char *text, ptq_error *err)
{
    int i = choice_index(o, text, strlen(text));
    if (i < 0)
        return bad_choice(o, text, err);
    if (o->type == OPTION_ENUM)
        *(int *)target = i;
    else if (o->type == OPTION_MODE)
        *(bool *)target = true;
    else
        *(const char **)target = o->choices[i];
    return PTQ_OK;
}

static ptq_status read_value(parsed *p, const option *o, void *target, const char *text,
                             ptq_error *err)
{
    uint64_t size = 0;
    switch (o->type) {
    case OPTION_INT:
        return read_int(o, target, text, err);
    case OPTION_NUMBER:
        return read_number(o, target, text, err);
    case OPTION_SEED:
        return read_size(o, target, text, err);
    case OPTION_SIZE:
        if (read_size(o, &size, text, err))
            return PTQ_USAGE;
        *(size_t *)target = (size_t)size;
        return PTQ_OK;
    case OPTION_CHOICE:
    case OPTION_ENUM:
    case OPTION_MODE:
        return read_choice(o, target, text, err);
    case OPTION_ENUMS:
        return read_enums(o, target, text, err);
    case OPTION_TEXTS:
        return add_text(p, target, text, err);
    default:
        if (!*text)
            return usage_error(err, "--%s needs a value, not ''", o->name);
        *(const char **)target = text;
        return PTQ_OK;
    }
}

static bool takes_value(option_type type)
{
    return type != OPTION_FLAG && type != OPTION_SWITCH && type != OPTION_TRISTATE &&
           type != OPTION_COUNT;
}

static void set_flag(const option *o, void *target, bool is_on)
{
    if (o->type == OPTION_COUNT)
        *(int *)target += 1;
    else if (o->type == OPTION_TRISTATE)
        *(int *)target = is_on;
    else
        *(bool *)target = is_on;
}

/* ---------------------------------------------------------------- finding options */

typedef struct found_option {
    const option *option; /* NULL: unknown */
    size_t base;
    bool is_negated;
} found_option;

static bool can_negate(const option *o)
{
    return o->type == OPTION_SWITCH || o->type == OPTION_TRISTATE;
}

static found_option find_long(const command *cmd, const char *name, size_t n)
{
    const option_group *g;
    for (int i = 0; (g = options_group(cmd, i)); i++)
        for (const option *o = g->options; o->name; o++) {
            if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
                return (found_option){o, g->base, false};
            if (can_negate(o) && n > 3 && memcmp(name, "no-", 3) == 0 && strlen(o->name) == n - 3 &&
                memcmp(o->name, name + 3, n - 3) == 0)
                return (found_option){o, g->base, true};
        }
    return (found_option){NULL, 0, false};
}

static found_option find_short(const command *cmd, char letter)
{
    const option_group *g;
    for (int i = 0; (g = options_group(cmd, i)); i++)
        for (const option *o = g->options; o->name; o++)
            if (o->letter == letter)
                return (found_option){o, g->base, false};
    return (found_option){NULL, 0, false};
}

static ptq_status unknown_long(const command *cmd, const char *name, size_t n, ptq_error *err)
{
    char word[MAX_NAME];
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    for (char *p = word; *p; p++)
        *p = *p == '_' ? '-' : *p;
    suggestion best = {NULL, 0};
    const option_group *g;
    suggest_nearer(&best, word, "help");
    for (int i = 0; (g = options_group(cmd, i)); i++)
        for (const option *o = g->options; o->name; o++) {
            char negated[MAX_NAME];
            snprintf(negated, sizeof negated, "no-%s", o->name);
            suggest_nearer(&best, word, o->name);
            if (can_negate(o) && strcmp(word, negated) != 0 && strncmp(word, "no-", 3) == 0)
                suggest_nearer(&best, word + 3, o->name);
        }
    const char *translation = suggest_translation(word);
    if (translation && find_long(cmd, translation, strlen(translation)).option)
        best.word = translation;
    const char *no = best.word && strncmp(word, "no-", 3) == 0 ? "no-" : "";
    if (best.word)
        return usage_error(err, "unknown option '--%.*s'; did you mean '--%s%s'?", (int)n, name, no,
                           best.word);
    return usage_error(err, "unknown option '--%.*s'", (int)n, name);
}

/* ---------------------------------------------------------------- the line */

typedef struct reader {
    const command *cmd;
    char *args;
    int argc;
    char **argv;
    int next;
    parsed *out;
    ptq_error *err;
} reader;

/* The value that follows as an argument of its own. Something that is itself an option of the
 * command is none: the value was forgotten. */
static const char *next_value(reader *r)
{
    if (r->next >= r->argc)
        return NULL;
    const char *text = r->argv[r->next];
    size_t n = strcspn(text, "=");
    if (strncmp(text, "--", 2) == 0 && (n == 2 || find_long(r->cmd, text + 2, n - 2).option))
        return NULL;
    r->next++;
    return text;
}

static ptq_status use_option(reader *r, found_option f, const char *value)
{
    const option *o = f.option;
    void *target = r->args + f.base + o->offset;
    r->out->culprit = o;
    r->out->culprit_base = f.base;
    if (!takes_value(o->type)) {
        if (value)
            return usage_error(r->err, "--%s takes no value", o->name);
        set_flag(o, target, !f.is_negated);
    } else {
        if (!value)
            value = next_value(r);
        if (!value)
            return usage_error(r->err, "--%s needs a value", o->name);
        ptq_status st = read_value(r->out, o, target, value, r->err);
        if (st)
            return st;
    }
    r->out->culprit = NULL;
    return PTQ_OK;
}

static ptq_status read_long(reader *r, const char *text)
{
    size_t n = strcspn(text, "=");
    if (n == 4 && memcmp(text, "help", 4) == 0) {
        r->out->help = HELP_FULL;
        return PTQ_OK;
    }
    found_option f = find_long(r->cmd, text, n);
    if (!f.option)
        return unknown_long(r->cmd, text, n, r->err);
    return use_option(r, f, text[n] ? text + n + 1 : NULL);
}

/* "-vv", "-j4", "-o file" */
static ptq_status read_short(reader *r, const char *text)
{
    for (; *text; text++) {
        if (*text == 'h') {
            r->out->help = HELP_SHORT;
            return PTQ_OK;
        }
        found_option f = find_short(r->cmd, *text);
        if (!f.option)
            return usage_error(r->err, "unknown option '-%c'", *text);
        bool has_value = takes_value(f.option->type);
        const char *value = has_value && text[1] ? text + 1 : NULL;
        ptq_status st = use_option(r, f, value);
        if (st || has_value)
            return st;
    }
    return PTQ_OK;
}

/* "data=coco.yaml", a habit from other tools. */
static ptq_status check_assignment(const reader *r, const char *text)
{
    size_t n = strcspn(text, "=");
    if (!text[n] || n == 0 || n >= MAX_NAME)
        return PTQ_OK;
    char word[MAX_NAME];
    snprintf(word, sizeof word, "%.*s", (int)n, text);
    for (char *p = word; *p; p++)
        *p = *p == '_' ? '-' : *p;
    const char *name = suggest_translation(word);
    name = name ? name : word;
    if (!find_long(r->cmd, name, strlen(name)).option)
        return PTQ_OK;
    return usage_error(r->err, "unexpected '%s'; did you mean '--%s %s'?", text, name,
                       text + n + 1);
}

static ptq_status read_operand(reader *r, const char *text)
{
    ptq_status st = check_assignment(r, text);
    if (st)
        return st;
    const char *dot = strrchr(text, '.');
    bool is_yaml = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (r->out->n_operands >= r->cmd->max_operands && is_yaml &&
        find_long(r->cmd, "data", 4).option)
        return usage_error(r->err, "unexpected '%s'; did you mean '--data %s'?", text, text);
    if (r->out->n_operands >= r->cmd->max_operands)
        return usage_error(r->err, "unexpected '%s'; '%s' takes %s%s", text, r->cmd->name,
                           *r->cmd->operands ? r->cmd->operands : "no operand",
                           r->cmd->max_operands == 1 ? " alone" : "");
    r->out->operands[r->out->n_operands++] = text;
    return PTQ_OK;
}

ptq_status options_parse(const command *cmd, void *args, int argc, char **argv, parsed *out,
                         ptq_error *err)
{
    *out = (parsed){0};
    out->operands = calloc((size_t)argc + 1, sizeof *out->operands);
    if (!out->operands) {
        usage_error(err, "out of memory");
        err->code = PTQ_LIMIT;
        return PTQ_LIMIT;
    }
    reader r = {cmd, args, argc, argv, 0, out, err};
    bool is_literal = false;
    while (r.next < argc && out->help == HELP_NONE) {
        const char *text = argv[r.next++];
        ptq_status st = PTQ_OK;
        if (is_literal || text[0] != '-' || !text[1])
            st = read_operand(&r, text);
        else if (strcmp(text, "--") == 0)
            is_literal = true;
        else if (text[1] == '-')
            st = read_long(&r, text + 2);
        else
            st = read_short(&r, text + 1);
        if (st)
            return st;
    }
    if (out->help == HELP_NONE && out->n_operands < cmd->min_operands)
        return usage_error(err, "'%s' needs %s", cmd->name, cmd->operands);
    return PTQ_OK;
}

void options_release(parsed *p)
{
    for (int i = 0; i < p->n_lists; i++)
        free(p->lists[i]);
    p->n_lists = 0;
    free(p->operands);
    p->operands = NULL;
}

static ptq_status from_environment(const char *variable, const char *name, general_args *general,
                                   ptq_error *err)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        return PTQ_OK;
    const option *o = GENERAL_GROUP.options;
    while (strcmp(o->name, name) != 0)
        o++;
    parsed none = {0};
    if (read_value(&none, o, (char *)general + o->offset, value, err) == PTQ_OK)
        return PTQ_OK;
    char why[sizeof err->message];
    snprintf(why, sizeof why, "%s", err->message);
    return usage_error(err, "environment variable %s: %.900s", variable, why);
}

void options_init(const command *cmd, void *args)
{
    *(general_args *)args = (general_args){.progress = true, .color = "auto"};
    cmd->init(args);
}

ptq_status options_environment(general_args *general, ptq_error *err)
{
    ptq_status st = from_environment("PTQ_THREADS", "threads", general, err);
    return st ? st : from_environment("PTQ_CPU", "cpu", general, err);
}
