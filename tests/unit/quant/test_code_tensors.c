/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "quant/code_tensors.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

typedef struct fixture {
    graph *g;
    quant_config *config;
    quant_options options;
    quant_points points;
    code_tensors codes;
} fixture;

static fixture start(graph *g)
{
    fixture f = {.g = g};
    quant_options_init(&f.options);
    assert_ok(quant_config_load(NULL, &f.config, &err));
    return f;
}

static void find(fixture *f, bool share_concat)
{
    quant_points_clear(&f->points);
    code_tensors_clear(&f->codes);
    assert_ok(quant_points_find(f->g, f->config, &f->options, &f->points, &err));
    assert_ok(code_tensors_find(f->g, &f->points, share_concat, &f->codes, &err));
}

static void stop(fixture *f)
{
    quant_config_destroy(f->config);
    quant_points_clear(&f->points);
    code_tensors_clear(&f->codes);
    graph_destroy(f->g);
}

/* "images c0 ... {add,cat}": names of the tensors in order, groups of more than one behind them; a
 * copy of others has a '=' before its name there. */
static void assert_codes(const fixture *f, const char *want)
{
    str text = STR_INIT;
    const code_tensor *all = f->codes.items;
    for (int i = 0; i < f->codes.n; i++)
        str_addf(&text, "%s%s", i ? " " : "", graph_tensor_const(f->g, all[i].tensor)->name);
    for (int group = 0; group < f->codes.n_groups; group++) {
        int n = 0;
        for (int i = 0; i < f->codes.n; i++)
            n += all[i].group == group;
        for (int i = 0, k = 0; n > 1 && i < f->codes.n; i++) {
            if (all[i].group != group)
                continue;
            k++;
            str_addf(&text, "%s%s%s%s", k == 1 ? " {" : ",", all[i].is_source ? "" : "=",
                     graph_tensor_const(f->g, all[i].tensor)->name, k == n ? "}" : "");
        }
    }
    assert_string_equal(str_text(&text), want);
    str_clear(&text);
}

/* c7 and c8 make outputs and stay float; what only they read (cat2 and c4.act, up and c6.act) need
 * not be codes, but what c4 and c6 make must be. */
static void both_sides_of_integer_operators_are_codes(void **state)
{
    (void)state;
    fixture f = start(test_net(1));
    find(&f, true);
    assert_codes(&f, "images c0 c0.act c1 c1.act c2 c2.act add c3 c3.act cat c4 c5 c5.act pool c6 "
                     "{add,c3.act,=cat} {c5.act,=pool}");
    find(&f, false);
    assert_codes(&f, "images c0 c0.act c1 c1.act c2 c2.act add c3 c3.act cat c4 c5 c5.act pool c6 "
                     "{c5.act,=pool}");
    stop(&f);
}

static void what_stays_float_cuts_the_codes(void **state)
{
    (void)state;
    fixture f = start(test_net(1));
    static const char *const exclude[] = {"c1$", "c4$", NULL};
    f.options.exclude = exclude;
    find(&f, true);
    assert_codes(&f, "images c0 c0.act c1.act c2 c2.act add c3 c3.act cat c5 c5.act pool c6 "
                     "{add,c3.act,=cat} {c5.act,=pool}");
    stop(&f);
}

static void a_quantized_head_makes_codes(void **state)
{
    (void)state;
    fixture f = start(test_net(1));
    f.options.quantize_head = true;
    find(&f, true);
    /* c8 is a graph output, and so is what the Sigmoid behind c7 makes */
    assert_codes(&f, "images c0 c0.act c1 c1.act c2 c2.act add c3 c3.act cat c4 c4.act c5 c5.act "
                     "pool c6 c6.act cat2 c7 up {add,c3.act,=cat} {c4.act,c5.act,=pool,=cat2} "
                     "{c6.act,=up}");
    stop(&f);
}

/* A Relu goes into the quantizer behind it; a Concat that a layer reads takes its float input
 * along; one that nothing reads on codes does not. */
static void relu_and_concat(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    shape s = shape4(1, 3, 8, 8);
    tensor_id x;
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(g, x, &err));
    tensor_id a = test_net_conv(g, "a", x, 3, 4, 1);
    tensor_id relu = test_net_op(g, GRAPH_OP_RELU, "relu", 1, &a);
    tensor_id tanh = test_net_op(g, GRAPH_OP_TANH, "tanh", 1, &x);
    tensor_id cat = test_net_op(g, GRAPH_OP_CONCAT, "cat", 2, (tensor_id[]){relu, tanh});
    tensor_id b = test_net_conv(g, "b", cat, 7, 4, 2);
    tensor_id cat2 = test_net_op(g, GRAPH_OP_CONCAT, "cat2", 2, (tensor_id[]){b, tanh});
    tensor_id y = test_net_conv(g, "y", cat2, 7, 4, 3);
    assert_ok(graph_add_output(g, y, &err));
    assert_ok(graph_tidy(g, &err));
    fixture f = start(g);
    find(&f, true);
    assert_codes(&f, "images relu tanh cat b {relu,tanh,=cat}");
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_integer_operators_are_codes),
        cmocka_unit_test(what_stays_float_cuts_the_codes),
        cmocka_unit_test(a_quantized_head_makes_codes),
        cmocka_unit_test(relu_and_concat),
    };
    return cmocka_run_group_tests_name("code_tensors", tests, NULL, NULL);
}
