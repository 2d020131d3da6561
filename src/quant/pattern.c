/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"

/* A hostile expression on a layer name must not run for long: PCRE2 gives up, which is no match. */
enum { MATCH_LIMIT = 1000000 };

struct pattern {
    char *text;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

static ptq_status compile(pattern *p, const char *expression, ptq_error *err)
{
    int code;
    PCRE2_SIZE offset;
    p->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED, &code,
                            &offset, NULL);
    if (!p->code) {
        PCRE2_UCHAR reason[128];
        pcre2_get_error_message(code, reason, sizeof reason);
        return error_set(err, PTQ_USAGE, "expression '%s' is wrong at character %zu: %s",
                         expression, (size_t)offset + 1, (const char *)reason);
    }
    p->text = mem_strdup(expression);
    p->match = pcre2_match_data_create(1, NULL);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->text || !p->match || !p->limits)
        return error_no_memory(err, strlen(expression), "an expression");
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    return PTQ_OK;
}

ptq_status pattern_compile(const char *expression, pattern **out, ptq_error *err)
{
    pattern *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "an expression");
    ptq_status st = compile(p, expression, err);
    if (st == PTQ_OK)
        *out = p;
    else
        pattern_destroy(p);
    return st;
}

void pattern_destroy(pattern *p)
{
    if (!p)
        return;
    mem_free(p->text);
    pcre2_code_free(p->code);
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->limits);
    mem_free(p);
}

bool pattern_matches(const pattern *p, const char *name)
{
    return pcre2_match(p->code, (PCRE2_SPTR)name, strlen(name), 0, 0, p->match, p->limits) >= 0;
}

const char *pattern_text(const pattern *p)
{
    return p->text;
}

ptq_status pattern_list_compile(const char *const *expressions, pattern_list *out, ptq_error *err)
{
    pattern_list l = {0};
    size_t n = 0;
    while (expressions && expressions[n])
        n++;
    l.items = mem_array(n, sizeof *l.items);
    if (!l.items)
        return error_no_memory(err, n * sizeof *l.items, "expressions");
    for (size_t i = 0; i < n; i++) {
        ptq_status st = pattern_compile(expressions[i], &l.items[i], err);
        if (st != PTQ_OK) {
            pattern_list_clear(&l);
            return st;
        }
        l.n++;
    }
    *out = l;
    return PTQ_OK;
}

void pattern_list_clear(pattern_list *l)
{
    for (int i = 0; i < l->n; i++)
        pattern_destroy(l->items[i]);
    mem_free(l->items);
    *l = (pattern_list){0};
}

const char *pattern_list_find(const pattern_list *l, const char *name)
{
    for (int i = 0; i < l->n; i++)
        if (pattern_matches(l->items[i], name))
            return pattern_text(l->items[i]);
    return NULL;
}
