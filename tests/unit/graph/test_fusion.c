/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "graph/fusion.h"

static void lists_are_read(void **state)
{
    (void)state;
    ptq_error err;
    unsigned set = 99;
    assert_ok(fusions_parse(NULL, &set, &err));
    assert_int_equal(set, 0);
    assert_ok(fusions_parse("winograd,activation", &set, &err));
    assert_int_equal(set, FUSION_WINOGRAD | FUSION_ACTIVATION);
    assert_status(fusions_parse("concat,wino", &set, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "'wino'"));
    assert_status(fusions_parse("concat,,movement", &set, &err), PTQ_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_are_read)};
    return cmocka_run_group_tests_name("fusion", tests, NULL, NULL);
}
