/* SPDX-License-Identifier: Apache-2.0 */
/* quant/pattern.h — regular expressions on layer names.
 *
 * As Python's re.match: a match must begin at the start of the name and may end before its end.
 */
#ifndef QUANT_PATTERN_H
#define QUANT_PATTERN_H

#include <stdbool.h>

#include "base/error.h"

typedef struct pattern pattern;

/* PTQ_USAGE with the expression and the place in it when it cannot be understood. */
PTQ_CHECKED ptq_status pattern_compile(const char *expression, pattern **out, ptq_error *err);
void pattern_destroy(pattern *p); /* NULL allowed */
bool pattern_matches(const pattern *p, const char *name);
const char *pattern_text(const pattern *p);

/* A list of expressions. */
typedef struct pattern_list {
    pattern **items;
    int n;
} pattern_list;

/* `expressions` ends with NULL, or is NULL: an empty list. */
PTQ_CHECKED ptq_status pattern_list_compile(const char *const *expressions, pattern_list *out,
                                            ptq_error *err);
void pattern_list_clear(pattern_list *l);
/* The first expression that matches, or NULL. */
const char *pattern_list_find(const pattern_list *l, const char *name);

#endif
