/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "quant/points.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

typedef struct fixture {
    graph *g;
    quant_config *config;
    quant_options options;
    quant_points points;
} fixture;

static ptq_status find(fixture *f, const char *yaml)
{
    quant_config_destroy(f->config);
    quant_points_clear(&f->points);
    f->config = NULL;
    assert_ok(yaml ? quant_config_parse(yaml, strlen(yaml), "q.yaml", &f->config, &err)
                   : quant_config_load(NULL, &f->config, &err));
    return quant_points_find(f->g, f->config, &f->options, &f->points, &err);
}

static fixture start(void)
{
    fixture f = {.g = test_net(1)};
    quant_options_init(&f.options);
    return f;
}

static void stop(fixture *f)
{
    quant_config_destroy(f->config);
    quant_points_clear(&f->points);
    graph_destroy(f->g);
}

static const quant_point *point(const fixture *f, const char *layer, int input)
{
    for (int i = 0; i < f->points.n; i++)
        if (strcmp(f->points.items[i].layer, layer) == 0 && f->points.items[i].input_index == input)
            return &f->points.items[i];
    return NULL;
}

/* "{c1,c3}{c4,c5}": the groups of more than one, layers in execution order, extras with '+'. */
static void assert_groups(const fixture *f, const char *want)
{
    str text = STR_INIT;
    for (int group = 0; group < f->points.n_groups; group++) {
        int n = 0;
        for (int i = 0; i < f->points.n; i++)
            n += f->points.items[i].group == group;
        if (n < 2)
            continue;
        str_add(&text, "{");
        for (int i = 0, k = 0; i < f->points.n; i++)
            if (f->points.items[i].group == group)
                str_addf(&text, "%s%s%s", k++ ? "," : "", f->points.items[i].layer,
                         f->points.items[i].is_extra ? "+" : "");
        str_add(&text, "}");
    }
    assert_string_equal(str_text(&text), want);
    str_clear(&text);
}

static void convolutions_are_found_and_the_head_is_kept(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(find(&f, NULL));
    assert_int_equal(f.points.n, 9);
    assert_int_equal(quant_points_n_quantized(&f.points), 7);
    assert_int_equal(point(&f, "c7", 0)->kept, QUANT_KEPT_HEAD);
    assert_int_equal(point(&f, "c8", 0)->kept, QUANT_KEPT_HEAD);
    assert_string_equal(graph_tensor_const(f.g, point(&f, "c5", 0)->tensor)->name, "cat");
    assert_string_equal(graph_tensor_const(f.g, point(&f, "c5", 0)->weight)->name, "c5.weight");
    assert_groups(&f, "");
    f.options.quantize_head = true;
    assert_ok(find(&f, NULL));
    assert_int_equal(quant_points_n_quantized(&f.points), 9);
    json_t *json = quant_points_write_json(f.g, &f.points);
    assert_int_equal(json_array_size(json), 9);
    json_decref(json);
    stop(&f);
}

/* Linear layers, pools, transposed convolutions; what computes its own weight is left alone. */
static void the_default_map(void **state)
{
    (void)state;
    fixture f = {0};
    quant_options_init(&f.options);
    f.options.quantize_head = true;
    assert_ok(graph_create(&f.g, &err));
    shape s = shape_make(2, (int64_t[]){2, 6});
    tensor_id x;
    assert_ok(graph_add_tensor(f.g, "x", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(f.g, x, &err));
    static const float zeros[36];
    shape ws = shape_make(2, (int64_t[]){6, 6});
    tensor_id w;
    assert_ok(graph_add_const_copy(f.g, "w", DTYPE_F32, &ws, zeros, &w, &err));
    op_attr attr = {.gemm = {.alpha = 1, .beta = 1, .trans_b = true}};
    tensor_id y, z, self;
    assert_ok(
        graph_add_op(f.g, GRAPH_OP_GEMM, "fc", 2, (tensor_id[]){x, w}, &attr, NULL, &y, &err));
    y = test_net_op(f.g, GRAPH_OP_RELU, "relu", 1, &y);
    z = test_net_op(f.g, GRAPH_OP_MATMUL, "mm", 2, (tensor_id[]){y, w});
    op_attr swap = {.perm = {2, {1, 0}}};
    assert_ok(graph_add_op(f.g, GRAPH_OP_TRANSPOSE, "t", 1, &z, &swap, NULL, &self, &err));
    self = test_net_op(f.g, GRAPH_OP_MATMUL, "self", 2, (tensor_id[]){z, self});
    assert_ok(graph_add_output(f.g, self, &err));
    assert_ok(graph_tidy(f.g, &err));
    assert_ok(find(&f, NULL));
    assert_int_equal(f.points.n, 2);
    assert_int_equal(point(&f, "fc", 0)->weight_axes, 1 << 0);
    assert_int_equal(point(&f, "mm", 0)->weight_axes, 1 << 1);
    assert_ok(find(&f, "float_module_list: [Linear]"));
    assert_int_equal(quant_points_n_quantized(&f.points), 0);
    assert_int_equal(point(&f, "mm", 0)->kept, QUANT_KEPT_TYPE);
    stop(&f);
}

static void layers_are_kept_for_a_reason(void **state)
{
    (void)state;
    fixture f = start();
    static const char *const exclude[] = {"c[01]$", "nothing", NULL};
    f.options.exclude = exclude;
    assert_ok(find(&f, "layers: [{match: c2, disabled: true}, {match: c3, input: {disabled: "
                       "true}}]"));
    assert_int_equal(point(&f, "c0", 0)->kept, QUANT_KEPT_EXCLUDED);
    assert_int_equal(point(&f, "c2", 0)->kept, QUANT_KEPT_DISABLED);
    assert_int_equal(point(&f, "c3", 0)->kept, QUANT_NOT_KEPT);
    assert_int_equal(point(&f, "c3", 0)->group, -1);
    json_t *kept = quant_points_write_kept(&f.points);
    assert_int_equal(json_array_size(kept), 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(kept, 0), "reason")),
                        "excluded");
    json_decref(kept);
    stop(&f);
}

static void the_identity_side_of_an_add(void **state)
{
    (void)state;
    fixture f = start();
    f.options.residual = true;
    assert_ok(find(&f, NULL));
    const quant_point *p = point(&f, "add", 0);
    assert_non_null(p);
    assert_true(p->is_extra);
    assert_string_equal(graph_tensor_const(f.g, p->tensor)->name, "c0.act");
    assert_null(point(&f, "add", 1));
    /* a float branch has nothing to fuse with */
    static const char *const exclude[] = {"c2", NULL};
    f.options.exclude = exclude;
    assert_ok(find(&f, NULL));
    assert_null(point(&f, "add", 0));
    stop(&f);
}

static void custom_modules_get_what_they_ask_for(void **state)
{
    (void)state;
    fixture f = start();
    f.options.residual = true;
    assert_ok(find(&f, "custom_quant_modules: [{op: Add, inputs: [0, 1]}, {op: MaxPool2d}]"));
    assert_non_null(point(&f, "add", 0));
    assert_non_null(point(&f, "add", 1));
    assert_true(point(&f, "pool", 0)->is_extra);
    assert_int_equal(f.points.n, 12);
    assert_status(find(&f, "custom_quant_modules: [{op: Add, inputs: [2]}]"), PTQ_USAGE);
    assert_non_null(strstr(err.message, "has no input 2"));
    stop(&f);
}

/* c1, c3 read c0.act; c4 reads add, c5 reads cat of add; c6 reads pool of c5.act (not quantized);
 * c8 reads up of c6.act. */
static void scales_are_shared_where_codes_move(void **state)
{
    (void)state;
    fixture f = start();
    f.options.share_scales = true;
    assert_ok(find(&f, NULL));
    assert_groups(&f, "{c1,c3}{c4,c5}");
    f.options.residual = true;
    f.options.quantize_head = true;
    assert_ok(find(&f, "custom_quant_modules: [{op: MaxPool}]"));
    /* pool's own quantizer: c5.act and pool are one, and cat2 joins through its input */
    assert_groups(&f, "{c1,add+,c3}{c4,c5}{pool+,c6,c7}");
    assert_ok(find(&f, "custom_quant_modules: [{op: MaxPool}]\nshare_scales: {maxpool: false}"));
    assert_groups(&f, "{c1,add+,c3}{c4,c5}{c6,c7}");
    assert_ok(find(&f, "custom_quant_modules: [{op: Resize}]\nshare_scales: {concat: false}"));
    assert_groups(&f, "{c1,add+,c3}{up+,c8}");
    assert_ok(find(&f, "custom_quant_modules: [{op: Add, inputs: [0, 1]}]"));
    assert_groups(&f, "{c1,add+,add+,c3}{c4,c5}{c6,c7}");
    f.options.share_scales = false;
    assert_ok(find(&f, "share_scales: {concat: true}"));
    assert_groups(&f, "{c1,add+,c3}{c4,c5}{c6,c7}");
    f.options.overrule_share = true;
    assert_ok(find(&f, "share_scales: {concat: true}"));
    assert_groups(&f, "");
    f.options.overrule_residual = true;
    f.options.residual = false;
    assert_ok(find(&f, "residual: true"));
    assert_null(point(&f, "add", 0));
    f.options.overrule_residual = false;
    assert_ok(find(&f, "residual: true"));
    assert_non_null(point(&f, "add", 0));
    stop(&f);
}

/* Any input of any layer, any tensor, an output of the network. */
static void any_tensor_can_get_a_quantizer(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(find(&f, "layers:\n"
                       "  - {layer: add, inputs: {1: {num_bits: 4}}, input: {narrow_range: true}}\n"
                       "  - {layer: c5, inputs: {0: {amax: 2.5}}}\n"
                       "  - {type: Resize, inputs: [0]}\n"));
    assert_null(point(&f, "add", 0));
    const quant_point *p = point(&f, "add", 1);
    assert_true(p->is_extra && p->input_desc.num_bits == 4 && p->input_desc.narrow_range);
    assert_string_equal(graph_tensor_const(f.g, p->tensor)->name, "c2.act");
    p = point(&f, "c5", 0);
    assert_true(!p->is_extra && p->input_desc.n_amax == 1 && p->has_range_rule);
    assert_non_null(point(&f, "up", 0));
    assert_int_equal(f.points.n, 11);
    /* add is read by c4 and by cat; "output" by nobody */
    assert_ok(find(&f, "tensors: [{match: add$, input: {num_bits: 6}}, {match: output}]"));
    assert_int_equal(point(&f, "c4", 0)->input_desc.num_bits, 6);
    p = point(&f, "cat", 0);
    assert_true(p && p->is_extra && p->input_desc.num_bits == 6);
    p = point(&f, "output", QPLAN_OUTPUT);
    assert_true(p && p->is_extra && p->is_decode && p->input_desc.num_bits == 8);
    assert_int_equal(f.points.n, 11);
    stop(&f);
}

/* Asked for by hand, an output convolution is quantized; a layer of another type is not touched. */
static void a_rule_can_ask_for_the_head(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(find(&f, "layers: [{layer: c7, disabled: false}]"));
    assert_int_equal(point(&f, "c7", 0)->kept, QUANT_NOT_KEPT);
    assert_int_equal(point(&f, "c8", 0)->kept, QUANT_KEPT_HEAD);
    json_t *kept = quant_points_write_kept(&f.points);
    assert_int_equal(json_array_size(kept), 1);
    const char *reason = json_string_value(json_object_get(json_array_get(kept, 0), "reason"));
    assert_non_null(strstr(reason, "--quantize-head"));
    json_decref(kept);
    stop(&f);
}

/* x -> c0 -> Softmax -> Reshape -> dfl (1x1) -> output: dfl sums a distribution, c0 is the head. */
static void distribution_focal_loss_is_decode(void **state)
{
    (void)state;
    fixture f = {0};
    quant_options_init(&f.options);
    assert_ok(graph_create(&f.g, &err));
    shape s = shape4(1, 3, 4, 4);
    tensor_id x;
    assert_ok(graph_add_tensor(f.g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(f.g, x, &err));
    tensor_id a = test_net_conv(f.g, "stem", x, 3, 8, 1);
    tensor_id h = test_net_conv(f.g, "c0", a, 8, 8, 2);
    op_attr attr = {.axis = {.axis = 1}};
    tensor_id p;
    assert_ok(graph_add_op(f.g, GRAPH_OP_SOFTMAX, "softmax", 1, &h, &attr, NULL, &p, &err));
    p = test_net_op(f.g, GRAPH_OP_IDENTITY, "moved", 1, &p);
    p = test_net_conv(f.g, "dfl", p, 8, 1, 3);
    assert_ok(graph_add_output(f.g, p, &err));
    assert_ok(graph_tidy(f.g, &err));
    assert_ok(find(&f, NULL));
    assert_int_equal(point(&f, "stem", 0)->kept, QUANT_NOT_KEPT);
    assert_int_equal(point(&f, "c0", 0)->kept, QUANT_KEPT_HEAD);
    assert_int_equal(point(&f, "dfl", 0)->kept, QUANT_KEPT_DECODE);
    f.options.quantize_head = true;
    assert_ok(find(&f, NULL));
    assert_int_equal(point(&f, "c0", 0)->kept, QUANT_NOT_KEPT);
    assert_int_equal(point(&f, "dfl", 0)->kept, QUANT_KEPT_DECODE);
    stop(&f);
}

/* pool and up carry nothing in between here: c5.act -> pool -> up2 -> c9. */
static void sharing_looks_through_bare_tensors(void **state)
{
    (void)state;
    fixture f = {0};
    quant_options_init(&f.options);
    f.options.share_scales = f.options.quantize_head = true;
    assert_ok(graph_create(&f.g, &err));
    shape s = shape4(1, 3, 8, 8);
    tensor_id x;
    assert_ok(graph_add_tensor(f.g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(f.g, x, &err));
    tensor_id a = test_net_conv(f.g, "a", x, 3, 8, 1);
    tensor_id b = test_net_conv(f.g, "b", a, 8, 8, 2);
    tensor_id pool = test_net_op(f.g, GRAPH_OP_MAX_POOL, "pool", 1, &a);
    tensor_id up = test_net_op(f.g, GRAPH_OP_RESIZE, "up", 1, &pool);
    tensor_id c = test_net_conv(f.g, "c", up, 8, 8, 3);
    tensor_id relu = test_net_op(f.g, GRAPH_OP_RELU, "relu", 1, &pool);
    tensor_id d = test_net_conv(f.g, "d", relu, 8, 8, 4);
    assert_ok(graph_add_output(f.g, b, &err));
    assert_ok(graph_add_output(f.g, c, &err));
    assert_ok(graph_add_output(f.g, d, &err));
    assert_ok(graph_tidy(f.g, &err));
    assert_ok(find(&f, NULL));
    assert_groups(&f, "{b,c}");
    assert_ok(find(&f, "share_scales: {maxpool: false}"));
    assert_groups(&f, "");
    /* codes of 4 bits have another scale */
    assert_ok(find(&f, "layers: [{layer: c, input: {num_bits: 4}}]"));
    assert_groups(&f, "");
    stop(&f);
}

/* As in YOLOv5, where the results of model.10 and model.14 meet others in two Concats each and have
 * no quantizer of their own: the quantizers behind both Concats move back to the same values. A
 * constant that two Concats append joins nothing. */
static void sharing_joins_at_a_tensor_without_quantizer(void **state)
{
    (void)state;
    fixture f = {0};
    quant_options_init(&f.options);
    f.options.share_scales = f.options.quantize_head = true;
    assert_ok(graph_create(&f.g, &err));
    shape s = shape4(1, 3, 8, 8), coordinates = shape4(1, 2, 8, 8);
    const float grid[128] = {0};
    tensor_id x, fixed;
    assert_ok(graph_add_tensor(f.g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(f.g, x, &err));
    assert_ok(graph_add_const_copy(f.g, "grid", DTYPE_F32, &coordinates, grid, &fixed, &err));
    tensor_id a = test_net_conv(f.g, "a", x, 3, 8, 1);
    tensor_id b = test_net_conv(f.g, "b", x, 3, 8, 2);
    tensor_id c = test_net_conv(f.g, "c", x, 3, 8, 3);
    tensor_id cat[4] = {test_net_op(f.g, GRAPH_OP_CONCAT, "cat1", 2, (tensor_id[]){a, b}),
                        test_net_op(f.g, GRAPH_OP_CONCAT, "cat2", 2, (tensor_id[]){a, c}),
                        test_net_op(f.g, GRAPH_OP_CONCAT, "cat3", 2, (tensor_id[]){b, fixed}),
                        test_net_op(f.g, GRAPH_OP_CONCAT, "cat4", 2, (tensor_id[]){x, fixed})};
    tensor_id y[4] = {
        test_net_conv(f.g, "d", cat[0], 16, 4, 4), test_net_conv(f.g, "e", cat[1], 16, 4, 5),
        test_net_conv(f.g, "f", cat[2], 10, 4, 6), test_net_conv(f.g, "g", cat[3], 5, 4, 7)};
    for (int i = 0; i < 4; i++)
        assert_ok(graph_add_output(f.g, y[i], &err));
    assert_ok(graph_tidy(f.g, &err));
    assert_ok(find(&f, NULL));
    assert_groups(&f, "{a,b,c,g}{d,e,f}");
    stop(&f);
}

/* ONNX Runtime 1.30 has no QLinearConvTranspose: between DQ and Q the operator runs in float. */
static void a_transposed_convolution_is_not_on_codes(void **state)
{
    (void)state;
    fixture f = {0};
    quant_options_init(&f.options);
    assert_ok(graph_create(&f.g, &err));
    shape s = shape4(1, 3, 8, 8), ws = shape4(8, 4, 2, 2);
    const float weight[128] = {1};
    tensor_id x, w, y;
    assert_ok(graph_add_tensor(f.g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(f.g, x, &err));
    assert_ok(graph_add_const_copy(f.g, "up.weight", DTYPE_F32, &ws, weight, &w, &err));
    tensor_id a = test_net_conv(f.g, "a", x, 3, 8, 1);
    op_attr attr = {.conv = {.kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .groups = 1}};
    tensor_id in[2] = {a, w};
    assert_ok(graph_add_op(f.g, GRAPH_OP_CONV_TRANSPOSE, "up", 2, in, &attr, NULL, &y, &err));
    assert_ok(graph_add_output(f.g, test_net_conv(f.g, "b", y, 4, 4, 2), &err));
    assert_ok(graph_tidy(f.g, &err));
    assert_ok(find(&f, NULL));
    assert_int_equal(point(&f, "up", 0)->kept, QUANT_NOT_KEPT);
    f.options.on_codes = true;
    assert_ok(find(&f, NULL));
    assert_int_equal(point(&f, "up", 0)->kept, QUANT_KEPT_TARGET);
    assert_int_equal(point(&f, "a", 0)->kept, QUANT_NOT_KEPT);
    assert_ok(find(&f, "layers: [{layer: up, disabled: false}]"));
    assert_int_equal(point(&f, "up", 0)->kept, QUANT_NOT_KEPT);
    stop(&f);
}

static void settings_must_fit_the_layer(void **state)
{
    (void)state;
    fixture f = start();
    static const char *const wrong[][2] = {
        {"defaults: {input: {axis: 1}}",
         "layer 'c0', input quantizer: a histogram finds one range"},
        {"layers: [{match: c3, input: {if_calib: false}}]", "without if_calib an amax is needed"},
        {"layers: [{match: c3, weight: {axis: 4}}]", "axis 4 is not one of a tensor with 4"},
        {"layers: [{match: c3, weight: {axis: -5}}]", "axis -5 is not one"},
        {"layers: [{match: c3, weight: {axis: [1, -3]}}]", "axis -3 is named twice"},
        {"layers: [{match: c3, weight: {amax: [1, 2]}}]", "amax lists 2 ranges for 8 slices"},
        {"layers: [{match: c3, weight: {learn_amax: true}}]", "learn_amax needs one range"},
        {"layers: [{match: c3, input: {if_clip: true}}]", "if_clip needs learn_amax"},
        {"layers: [{match: c3, input: {amax: [1, 2]}}]", "2 ranges in amax need an axis"},
        {"layers: [{match: c3, inputs: {7: {}}}]", "layers, inputs: 'c3' (Conv) has no input 7"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(find(&f, wrong[i][0]), PTQ_USAGE);
        if (!strstr(err.message, wrong[i][1]))
            fail_msg("'%s' gave '%s'", wrong[i][0], err.message);
    }
    assert_ok(find(&f, "layers: [{match: c3, weight: {axis: null}}]"));
    assert_int_equal(point(&f, "c3", 0)->weight_axes, 0);
    assert_ok(find(&f, "layers: [{match: c3, weight: {axis: [1, -4]}, input: {axis: 1, "
                       "calib_method: max}}]"));
    assert_int_equal(point(&f, "c3", 0)->weight_axes, 1 << 0 | 1 << 1);
    assert_int_equal(point(&f, "c3", 0)->input_axes, 1 << 1);
    /* a disabled quantizer may say anything */
    assert_ok(find(&f, "layers: [{match: c3, input: {axis: 7, disabled: true}}]"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_found_and_the_head_is_kept),
        cmocka_unit_test(the_default_map),
        cmocka_unit_test(layers_are_kept_for_a_reason),
        cmocka_unit_test(the_identity_side_of_an_add),
        cmocka_unit_test(custom_modules_get_what_they_ask_for),
        cmocka_unit_test(scales_are_shared_where_codes_move),
        cmocka_unit_test(any_tensor_can_get_a_quantizer),
        cmocka_unit_test(a_rule_can_ask_for_the_head),
        cmocka_unit_test(distribution_focal_loss_is_decode),
        cmocka_unit_test(sharing_looks_through_bare_tensors),
        cmocka_unit_test(sharing_joins_at_a_tensor_without_quantizer),
        cmocka_unit_test(a_transposed_convolution_is_not_on_codes),
        cmocka_unit_test(settings_must_fit_the_layer),
    };
    return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
