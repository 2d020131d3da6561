/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/deploy.h"
#include "quant_fixture.h"

/* algorithms.md §4.1: what TensorRT cannot do, and what nobody can. */
static void what_cannot_be_deployed(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *target, *reason; /* NULL: it can */
    } cases[] = {
        {"layers: []", "tensorrt10", NULL},
        {"layers: [{layer: c1, input: {num_bits: 4}}]", "tensorrt10", "fewer than 8 bits"},
        {"layers: [{layer: c1, input: {num_bits: 4}}]", "onnxruntime", "fewer than 8 bits"},
        {"layers: [{layer: c1, input: {num_bits: 9}}]", "tensorrt10", "more than 8 bits"},
        {"layers: [{layer: c1, input: {unsigned: true}}]", "tensorrt10", "refuses uint8"},
        {"layers: [{layer: c1, input: {unsigned: true}}]", "onnxruntime", NULL},
        {"layers: [{layer: c1, input: {axis: 1, calib_method: max}}]", "tensorrt10",
         "one scale per activation"},
        {"layers: [{layer: c1, weight: {num_bits: 4}}]", "tensorrt10", NULL},
        {"layers: [{layer: c1, weight: {num_bits: 12}}]", "tensorrt10", "more than 8 bits"},
        {"layers: [{layer: c1, weight: {unsigned: true}}]", "onnxruntime", "unsigned weight"},
        {"layers: [{layer: c1, weight: {axis: 1}}]", "tensorrt10", "the output channels"},
        {"layers: [{layer: c1, weight: {axis: [0, 1]}}]", "onnxruntime", "the output channels"},
        {"layers: [{layer: c1, input: {narrow_range: true}}]", "tensorrt10", NULL},
        {"layers: [{layer: c1, input: {narrow_range: true}}]", "onnxruntime", "narrow"},
        {"layers: [{layer: c1, disabled: true, input: {num_bits: 4}}]", "tensorrt10", NULL},
        {"layers: [{layer: c1, input: {num_bits: 4, disabled: true}}]", "tensorrt10", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f = start(cases[i].yaml);
        const quant_target *target = quant_target_find(cases[i].target);
        ptq_status st = deploy_check(f.g, &f.points, target, &err);
        assert_int_equal(st, cases[i].reason ? PTQ_UNSUPPORTED : PTQ_OK);
        if (cases[i].reason && (!strstr(err.message, cases[i].reason) ||
                                !strstr(err.message, "layer 'c1' cannot be written for")))
            fail_msg("%s on %s gave '%s'", cases[i].yaml, cases[i].target, err.message);
        stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_deployed),
    };
    return cmocka_run_group_tests_name("deploy", tests, NULL, NULL);
}
