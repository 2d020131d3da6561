/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "kernels/peak.h"

/* No timing is judged here: only that every loop the machine can run gives a speed at all, and that
 * a level without the instruction says so. */
static void every_level_gives_a_speed(void **state)
{
    (void)state;
    assert_true(peak_measure(PEAK_F32, CPU_REF, 1) == 0);
    assert_true(peak_measure(PEAK_BF16, CPU_AVX512VNNI, 1) == 0);
    cpu_level best = cpu_best();
    for (int level = CPU_REF + 1; level <= (int)best; level++) {
        assert_true(peak_measure(PEAK_F32, (cpu_level)level, 1) > 0);
        assert_true(peak_measure(PEAK_INT8, (cpu_level)level, 1) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_level_gives_a_speed)};
    return cmocka_run_group_tests_name("peak", tests, NULL, NULL);
}
