/* SPDX-License-Identifier: Apache-2.0 */
/* The list of rules is sound, and docs/lint.md says what it says: a row and a section for each. */
#include <ctype.h>

#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "lint/rules.h"

static ptq_error err;

static char *page(void)
{
    char *text;
    size_t size;
    assert_ok(file_read("docs/lint.md", 0, &text, &size, &err));
    return text;
}

static const char *dash(lint_severity s)
{
    return s == LINT_NONE ? "–" : lint_severity_name(s);
}

static void test_ids(void **state)
{
    (void)state;
    for (int i = 0; i < RULE_COUNT; i++) {
        const lint_rule_info *rule = lint_rule_of((lint_rule)i);
        assert_true(strlen(rule->id) > 3);
        for (const char *p = rule->id; *p; p++)
            assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(rule->id, lint_rule_of((lint_rule)k)->id);
        assert_true(strlen(rule->title) > 10 && strlen(rule->fix) > 10);
        bool is_for_someone = false;
        for (int t = 0; t < LINT_N_TARGETS; t++)
            is_for_someone = is_for_someone || rule->severity[t] != LINT_NONE;
        assert_true(is_for_someone);
    }
}

static void test_page(void **state)
{
    (void)state;
    char *text = page();
    for (int i = 0; i < RULE_COUNT; i++) {
        const lint_rule_info *rule = lint_rule_of((lint_rule)i);
        str row = STR_INIT, section = STR_INIT;
        str_addf(&row, "\n| [`%s`](#%s) | %s | %s | %s | %s |\n", rule->id, rule->id,
                 dash(rule->severity[0]), dash(rule->severity[1]), dash(rule->severity[2]),
                 rule->title);
        str_addf(&section, "\n### %s\n", rule->id);
        if (!strstr(text, str_text(&row)))
            fail_msg("docs/lint.md lacks the row%s", str_text(&row));
        if (!strstr(text, str_text(&section)))
            fail_msg("docs/lint.md has no section '%s'", rule->id);
        str_clear(&row);
        str_clear(&section);
    }
    mem_free(text);
}

/* And nothing else: no row and no section of a rule that is gone. */
static void test_page_is_not_older(void **state)
{
    (void)state;
    char *text = page();
    int n_rows = 0, n_sections = 0;
    for (const char *p = text; (p = strstr(p, "\n| [`")) != NULL; p++)
        n_rows++;
    for (const char *p = text; (p = strstr(p, "\n### ")) != NULL; p++)
        n_sections++;
    assert_int_equal(n_rows, RULE_COUNT);
    assert_int_equal(n_sections, RULE_COUNT);
    mem_free(text);
}

static void test_targets(void **state)
{
    (void)state;
    lint_target t;
    for (int i = 0; i < LINT_N_TARGETS; i++) {
        assert_ok(lint_target_parse(lint_target_name((lint_target)i), &t, &err));
        assert_int_equal(t, i);
    }
    assert_status(lint_target_parse("tensorrt8", &t, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "tensorrt10, tensorrt11, onnxruntime"));
    assert_status(lint_target_parse(NULL, &t, &err), PTQ_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_page_is_not_older),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
