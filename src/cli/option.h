/* SPDX-License-Identifier: Apache-2.0 */
/* option.h — one table per command; parser and help are views of it.
 *
 * An option writes into the command's argument struct, at an offset. Its default is whatever the
 * struct holds after the command's init function: the help prints that, so the two cannot differ.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum option_type {
    OPTION_FLAG,     /* bool: --x */
    OPTION_SWITCH,   /* bool: --x, --no-x */
    OPTION_TRISTATE, /* int: --x 1, --no-x 0, else as it was */
    OPTION_COUNT,    /* int: one more each time */
    OPTION_INT,      /* int, between min and max; `word` stands for -1 */
    OPTION_SEED,     /* uint64_t */
    OPTION_SIZE,     /* size_t; the suffixes K, M, G count in 1024s */
    OPTION_NUMBER,   /* double, between min and max */
    OPTION_TEXT,     /* const char * */
    OPTION_CHOICE,   /* const char *, one of `choices` */
    OPTION_ENUM,     /* an enum: the index in `choices` */
    OPTION_MODE,     /* bool: true when its one choice is given */
    OPTION_TEXTS,    /* const char *const *, NULL-terminated; may be given again */
    OPTION_ENUMS     /* option_enums: choices joined by commas */
} option_type;

enum { OPTION_MAX_ENUMS = 8 };
typedef struct option_enums {
    int values[OPTION_MAX_ENUMS];
    int n;
} option_enums;

typedef struct option {
    const char *name; /* without dashes */
    char letter;      /* short form, or 0 */
    option_type type;
    size_t offset;
    const char *value;          /* what the help calls the value: FILE, N */
    double min, max;            /* inclusive */
    const char *const *choices; /* NULL-terminated */
    const char *word;           /* OPTION_INT: a word that means -1 */
    const char *preset;         /* default in words, where the struct's value says little; ""
                                   hides it */
    bool is_common;             /* on the one-screen help, too */
    const char *brief;          /* there, instead of help; or NULL */
    const char *help;
} option;

/* Options with one heading; their offsets count from `base`. */
typedef struct option_group {
    const char *title;
    const option *options; /* ends with a NULL name */
    size_t base;
} option_group;

#endif
