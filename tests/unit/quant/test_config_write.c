/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/config_write.h"
#include "quant_fixture.h"

static bool is_same_descriptor(const descriptor *a, const descriptor *b)
{
    str text = STR_INIT;
    descriptor_write(&text, a, b, false);
    bool is_same = text.len == 0 && descriptor_method(a) == descriptor_method(b);
    str_clear(&text);
    return is_same;
}

static void assert_same_points(const quant_points *a, const quant_points *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_groups, b->n_groups);
    for (int i = 0; i < a->n; i++) {
        const quant_point *p = &a->items[i], *q = &b->items[i];
        assert_string_equal(p->layer, q->layer);
        assert_int_equal(p->input_index, q->input_index);
        assert_int_equal(p->group, q->group);
        assert_int_equal(p->kept == QUANT_NOT_KEPT, q->kept == QUANT_NOT_KEPT);
        if (p->kept != QUANT_NOT_KEPT)
            continue;
        const quant_point *leader;
        if (p->group >= 0) {
            assert_ok(group_leader(a, p->group, &leader, &err));
            descriptor d = p->input_desc;
            d.amax = leader->input_desc.amax;
            d.n_amax = leader->input_desc.n_amax;
            assert_int_equal(d.num_bits, q->input_desc.num_bits);
            assert_int_equal(d.n_amax, q->input_desc.n_amax);
            assert_true(d.amax == q->input_desc.amax);
        }
        if (quant_point_has_weight(p))
            assert_true(is_same_descriptor(&p->weight_desc, &q->weight_desc));
    }
}

/* Whatever options and settings made the quantizers, the file alone makes them again. */
static void what_was_inserted_is_written_and_read(void **state)
{
    (void)state;
    static const char *const exclude[] = {"c2", NULL};
    fixture f = start("defaults: {weight: {num_bits: 6}, types: {Add: {input: {num_bits: 7}}}}\n"
                      "custom_quant_modules: [{op: MaxPool}, {op: Add, inputs: [1]}]\n"
                      "layers:\n"
                      "  - {match: 'c[45]', input: {amax: 3.25, name: it's here}}\n"
                      "  - {layer: c6, input: {disabled: true}, weight: {axis: null}}\n"
                      "tensors: [{match: side}, {match: output, input: {percentile: 99}}]\n"
                      "float_module_list: [AvgPool2d]\n"
                      "share_scales: {add: false}\n");
    f.options.exclude = exclude;
    f.options.quantize_head = f.options.residual = true;
    f.options.method = AMAX_ENTROPY;
    quant_points_clear(&f.points);
    assert_ok(quant_points_find(f.g, f.config, &f.options, &f.points, &err));
    config_write_job job = {f.g, &f.points, f.config, &f.options, f.r, "a title"};
    str text = STR_INIT;
    assert_ok(config_write(&job, &text, &err));
    assert_non_null(strstr(str_text(&text), "# a title\n"));
    quant_config *again;
    if (quant_config_parse(str_text(&text), text.len, "saved.yaml", &again, &err) != PTQ_OK)
        fail_msg("%s\n%s", err.message, str_text(&text));
    quant_options plain;
    quant_options_init(&plain);
    plain.residual = true; /* as the target likes it */
    quant_points points;
    assert_ok(quant_points_find(f.g, again, &plain, &points, &err));
    assert_same_points(&f.points, &points);
    descriptor method = descriptor_input(plain.method, plain.percentile);
    descriptor_apply(&method, &again->defaults.input);
    assert_int_equal(descriptor_method(&method), AMAX_ENTROPY);
    quant_points_clear(&points);
    quant_config_destroy(again);
    str_clear(&text);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_inserted_is_written_and_read),
    };
    return cmocka_run_group_tests_name("config_write", tests, NULL, NULL);
}
