/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/placement.h"
#include "quant_fixture.h"

static const char *warned(fixture *f)
{
    ptq_env env = {.log = keep_log, .user = f};
    group_source source = {f->g, &f->points, f->r};
    f->log[0] = '\0';
    assert_ok(placement_warn(&source, true, &env, &err));
    return f->log;
}

/* algorithms.md §4.3, worked (11): boxes up to 640 px, symmetric scale 5.03937: up to 2.51 is 0. */
static void one_scale_for_boxes_and_scores(void **state)
{
    (void)state;
    fixture f = start("layers: []");
    assert_string_equal(warned(&f), "");
    stop(&f);
    f = start("tensors: [{match: output}]");
    assert_non_null(strstr(warned(&f), "'output' covers boxes up to 640.0 and scores up to 1: in "
                                       "steps of 5.039 every value below 2.520 becomes 0"));
    stop(&f);
    f = start("layers: [{layer: output, inputs: [0]}]"); /* behind the head, but small */
    assert_non_null(strstr(warned(&f), "'c7' sits behind the output convolutions"));
    stop(&f);
}

static void other_harm_is_told(void **state)
{
    (void)state;
    /* 0.5 reaches less than half a step of 200/127 */
    fixture f = start("layers: [{layer: c5, input: {amax: 1100}}]");
    assert_non_null(
        strstr(warned(&f), "'add' reaches 4 but shares a scale with the input of 'c5'"));
    stop(&f);
    f = start("custom_quant_modules: [{op: Silu}]");
    const char *log = warned(&f);
    assert_non_null(strstr(log, "'c0.act' stands between the convolution 'c0' and its activation"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_scale_for_boxes_and_scores),
        cmocka_unit_test(other_harm_is_told),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
