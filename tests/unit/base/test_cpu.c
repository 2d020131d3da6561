/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/cpu.h"

static ptq_error err;

static void names_are_capped_at_what_the_machine_has(void **state)
{
    (void)state;
    cpu_level level;
    for (int i = CPU_REF; i <= (int)cpu_best(); i++) {
        assert_ok(cpu_level_parse(cpu_level_name((cpu_level)i), &level, &err));
        assert_int_equal(level, i);
    }
    static const char *const all[] = {"native", NULL};
    for (int i = 0; i < 2; i++) {
        assert_ok(cpu_level_parse(all[i], &level, &err));
        assert_int_equal(level, cpu_best());
    }
#if defined(__x86_64__)
    assert_ok(cpu_level_parse("avx512bf16", &level, &err));
    assert_int_equal(level, cpu_best());
#endif
}

/* Nor those of another architecture, which would mean the reference. */
static void unknown_names_are_refused(void **state)
{
    (void)state;
#if defined(__aarch64__)
    static const char *const names[] = {"avx2", "sve", ""};
#else
    static const char *const names[] = {"neon", "dotprod", ""};
#endif
    cpu_level level;
    for (int i = 0; i < 3; i++) {
        assert_status(cpu_level_parse(names[i], &level, &err), PTQ_USAGE);
        assert_non_null(strstr(err.message, "unknown instruction set"));
    }
    assert_status(cpu_level_parse("natve", &level, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "or native (did you mean 'native'?)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_capped_at_what_the_machine_has),
        cmocka_unit_test(unknown_names_are_refused),
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
