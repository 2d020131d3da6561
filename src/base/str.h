/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h — a growing string, and the few string helpers C lacks.
 *
 * A str is always NUL-terminated once something was added. After a failed allocation it stays
 * failed: check str_ok() once at the end instead of after every call.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct str {
    char *data; /* owned; "" is never NULL through str_text() */
    size_t len;
    size_t cap;
    bool failed;
} str;

#define STR_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void str_clear(str *s); /* frees; the str can be used again */
void str_add(str *s, const char *text);
void str_add_n(str *s, const char *text, size_t n);
void str_addf(str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(str *s, const char *format, va_list args);
bool str_ok(const str *s);
const char *str_text(const str *s);
/* Hands the heap string over (mem_free it); NULL when out of memory. */
char *str_take(str *s);

bool str_starts_with(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);
/* Damerau-Levenshtein distance, capped at 99: for "did you mean". */
int str_distance(const char *a, const char *b);
/* The candidate nearest to `word` within distance 2, or NULL. `list` ends with NULL. */
const char *str_nearest(const char *word, const char *const *list);

#endif
