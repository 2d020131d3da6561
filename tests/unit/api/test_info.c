/* SPDX-License-Identifier: Apache-2.0 */
/* ptq_info() says what fusing changes, and so needs the network as it stands in the file. */
#include "ptq/ptq.h"
#include "test.h"

static ptq_error err;

static void the_network_before_fusing_is_asked_for(void **state)
{
    (void)state;
    char path[512];
    ptq_model *m;
    ptq_result *r;
    ptq_info_options o;
    ptq_info_options_init(&o);
    test_demo("yolov7-shapes.pt", path);
    assert_ok(ptq_model_load(path, NULL, NULL, &m, &err));
    assert_status(ptq_info(m, &o, NULL, &r, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "keep_unfused"));
    ptq_model_destroy(m);
    assert_ok(ptq_model_load(path, &(ptq_load_options){.keep_unfused = true}, NULL, &m, &err));
    assert_ok(ptq_info(m, &o, NULL, &r, &err));
    assert_non_null(strstr(ptq_result_text(r), "before fusing"));
    ptq_result_destroy(r);
    ptq_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_network_before_fusing_is_asked_for)};
    return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
