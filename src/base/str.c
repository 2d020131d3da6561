/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void str_clear(str *s)
{
    mem_free(s->data);
    *s = (str)STR_INIT;
}

static bool reserve(str *s, size_t more)
{
    if (s->failed)
        return false;
    size_t need = s->len + more + 1;
    if (need <= s->cap)
        return true;
    size_t cap = s->cap * 2 > need ? s->cap * 2 : need + 32;
    char *grown = mem_resize(s->data, cap, 1);
    if (!grown) {
        s->failed = true;
        return false;
    }
    s->data = grown;
    s->cap = cap;
    return true;
}

void str_add_n(str *s, const char *text, size_t n)
{
    if (!reserve(s, n))
        return;
    memcpy(s->data + s->len, text, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void str_add(str *s, const char *text)
{
    str_add_n(s, text, strlen(text));
}

void str_vaddf(str *s, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && reserve(s, (size_t)n)) {
        vsnprintf(s->data + s->len, (size_t)n + 1, format, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void str_addf(str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_vaddf(s, format, args);
    va_end(args);
}

bool str_ok(const str *s)
{
    return !s->failed;
}

const char *str_text(const str *s)
{
    return s->data ? s->data : "";
}

char *str_take(str *s)
{
    char *text = s->failed ? NULL : s->data ? s->data : mem_strdup("");
    if (s->failed)
        mem_free(s->data);
    *s = (str)STR_INIT;
    return text;
}

bool str_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int str_distance(const char *a, const char *b)
{
    enum { MAX = 48 };
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MAX || m > MAX)
        return 99;
    int d[MAX + 1][MAX + 1];
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            int cost = a[i - 1] != b[j - 1];
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[n][m];
}

const char *str_nearest(const char *word, const char *const *list)
{
    const char *best = NULL;
    int best_distance = 3;
    for (; *list; list++) {
        int distance = str_distance(word, *list);
        if (distance < best_distance) {
            best_distance = distance;
            best = *list;
        }
    }
    return best;
}
