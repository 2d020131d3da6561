/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/lint/lint_graphs.h — for each rule a graph that breaks it, and twins that do not. */
#ifndef LINT_GRAPHS_H
#define LINT_GRAPHS_H

#include "lint_build.h"

/* ---- the file as a whole ---- */

static void opset_old(file *f)
{
    start_pair(f);
    f->opset.version = 8;
}

static void opset_new(file *f)
{
    start_pair(f);
    f->opset.version = 26;
}

static void axis_in_opset_10(file *f)
{
    start_pair(f);
    f->opset.version = 10;
}

static void int16_in_opset_13(file *f)
{
    start_pair(f);
    init_of(f, "a.in.zero")->data_type = INT16;
    raw(f, init_of(f, "a.in.zero"), NULL, 2);
}

static void int16_in_opset_21(file *f)
{
    int16_in_opset_13(f);
    f->opset.version = 21;
}

static void operator_unknown(file *f)
{
    start_pair(f);
    node_of(f, "a")->op_type = arena_strdup(f->a, "Det");
}

static void operator_nowhere(file *f)
{
    start_pair(f);
    node_of(f, "a")->op_type = arena_strdup(f->a, "Quuxify");
}

static void plugin(file *f)
{
    start_pair(f);
    node_of(f, "a")->op_type = arena_strdup(f->a, "EfficientNMS_TRT");
}

static Onnx__NodeProto *with_pool(file *f)
{
    start_pair(f);
    Onnx__NodeProto *pool = named(f, "pool", op(f, "MaxPool", "output", "pooled"));
    attr_ints(f, pool, "kernel_shape", 2, (int64_t[]){2, 2});
    output(f, "pooled");
    return pool;
}

static void pool_dilated(file *f)
{
    attr_ints(f, with_pool(f), "dilations", 2, (int64_t[]){2, 2});
}

static void pool_plain(file *f)
{
    attr_ints(f, with_pool(f), "dilations", 2, (int64_t[]){1, 1});
}

static void qlinear(file *f)
{
    start(f);
    image(f, "x");
    scales(f, "s", 0, 0.1f);
    zeros(f, "z", UINT8, 0, NULL);
    op(f, "QLinearMatMul", "x s z x s z s z", "output");
    output(f, "output");
}

static void dynamic(file *f)
{
    start(f);
    image(f, "x");
    op(f, "DynamicQuantizeLinear", "x", "output s z");
    output(f, "output");
}

static void dangling(file *f)
{
    start_pair(f);
    set_input(f, "b", 1, "nowhere");
}

static void external_lost(file *f)
{
    start_pair(f);
    Onnx__TensorProto *t = init_of(f, "a.in.scale");
    Onnx__StringStringEntryProto *e = MAKE(f, StringStringEntryProto, string_string_entry_proto);
    e->key = arena_strdup(f->a, "location");
    e->value = arena_strdup(f->a, "lost.bin");
    t->has_raw_data = 0;
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = arena_alloc(f->a, 1, sizeof *t->external_data);
    t->external_data[0] = e;
    t->n_external_data = 1;
}

static void float_only(file *f)
{
    start_small(f);
}

static void with_if(file *f)
{
    start_pair(f);
    named(f, "branch", op(f, "If", "output", "chosen"));
    output(f, "chosen");
}

static void all_half(file *f)
{
    start_pair(f);
    f->opset.version = 19;
    f->inputs[0]->type->tensor_type->elem_type = FLOAT16;
    f->outputs[0]->type->tensor_type->elem_type = FLOAT16;
    set_half(f, "a.in.scale", 0.1f);
    set_half(f, "b.in.scale", 0.2f);
    for (int i = 0; i < 2; i++) {
        Onnx__TensorProto *t = init_of(f, i ? "b.weight_scale" : "a.weight_scale");
        uint16_t halves[16];
        for (int k = 0; k < 16; k++)
            halves[k] = half_from_float(0.01f);
        t->data_type = FLOAT16;
        raw(f, t, halves, sizeof halves);
    }
}

/* ---- what a quantizer says ---- */

static void scale_zero(file *f)
{
    start_pair(f);
    set_float(f, "b.in.scale", 0);
}

static void scale_nan(file *f)
{
    start_pair(f);
    set_float(f, "a.weight_scale", NAN);
}

static void half_subnormal(file *f)
{
    all_half(f);
    set_half(f, "b.in.scale", 3e-5f); /* 503 steps of 2^-24: 2.998e-05 */
}

static void half_smallest(file *f)
{
    all_half(f);
    set_half(f, "b.in.scale", 0x1p-14f);
}

static void half_graph_float_scale(file *f)
{
    all_half(f);
    init_of(f, "a.in.scale")->data_type = FLOAT;
    float value = 0.1f;
    raw(f, init_of(f, "a.in.scale"), &value, sizeof value);
}

/* The constant of a quantizer of "a" comes from an operator instead. */
static void computed(file *f, size_t at, const char *name)
{
    start_pair(f);
    input(f, "given", DIMS(1));
    op(f, "Abs", "given", name);
    set_input(f, "a.in.q", at, name);
}

static void scale_computed(file *f)
{
    computed(f, 1, "scale");
}

static void zero_computed(file *f)
{
    computed(f, 2, "zero");
}

static void zero_not_zero(file *f)
{
    start_pair(f);
    set_byte(f, "a.in.zero", 3);
}

static void zero_missing(file *f)
{
    start_pair(f);
    node_of(f, "a.in.q")->n_input = 2;
}

static void zero_shape(file *f)
{
    start_pair(f);
    init_of(f, "a.weight_zero")->dims[0] = 15;
    init_of(f, "a.weight_zero")->raw_data.len = 15;
}

static void unsigned_codes(file *f)
{
    start_pair(f);
    set_type(f, "a.in.zero", UINT8);
}

static void int4_activation(file *f)
{
    start_pair(f);
    f->opset.version = 21;
    set_type(f, "a.in.zero", INT4);
}

/* MatMul with an int4 weight [16,`n`]. */
static void int4_matmul(file *f, int64_t n)
{
    start(f);
    f->opset.version = 21;
    input(f, "x", DIMS(4, 16));
    scales(f, "w.scale", 0, 0.1f);
    zeros(f, "w.zero", INT4, 0, NULL);
    raw(f, constant(f, "fc.weight", INT4, DIMS(16, n)), NULL, (size_t)(16 * n / 2));
    named(f, "w.dq", op(f, "DequantizeLinear", "fc.weight w.scale w.zero", "w"));
    op(f, "MatMul", "x w", "output");
    output(f, "output");
}

static void int4_odd(file *f)
{
    int4_matmul(f, 7);
}

static void int4_even(file *f)
{
    int4_matmul(f, 8);
}

static void float8_other(file *f)
{
    start_pair(f);
    f->opset.version = 19;
    set_type(f, "a.in.zero", 19); /* float8e5m2 */
}

static void float8_e4m3(file *f)
{
    start_pair(f);
    f->opset.version = 19;
    set_type(f, "a.in.zero", 17);
}

static void bias(file *f, int type)
{
    start_pair(f);
    raw(f, constant(f, "a.bias", type, DIMS(16)), NULL, 64);
    scales(f, "a.bias_scale", 16, 0.001f);
    zeros(f, "a.bias_zero", INT32, DIMS(16));
    const char *name = "a.bias";
    if (type == INT32) {
        named(f, "a.bias_dq", op(f, "DequantizeLinear", "a.bias a.bias_scale a.bias_zero", "bd"));
        attr_int(f, node_of(f, "a.bias_dq"), "axis", 0);
        name = "bd";
    }
    Onnx__NodeProto *n = node_of(f, "a");
    n->input = words(f, arena_printf(f->a, "a.in.dq a.w %s", name), &n->n_input);
}

static void bias_codes(file *f)
{
    bias(f, INT32);
}

static void bias_float(file *f)
{
    bias(f, FLOAT);
}

static void channel_activation(file *f)
{
    start_pair(f);
    scales(f, "many", 16, 0.1f);
    zeros(f, "many.zero", INT8, DIMS(16));
    for (int i = 0; i < 2; i++) {
        Onnx__NodeProto *n = node_of(f, i ? "b.in.dq" : "b.in.q");
        n->input[1] = arena_strdup(f->a, "many");
        n->input[2] = arena_strdup(f->a, "many.zero");
        attr_int(f, n, "axis", 1);
    }
}

static void blocks(file *f)
{
    start_pair(f);
    f->opset.version = 21;
    attr_int(f, node_of(f, "a.weight_dq"), "block_size", 8);
}

static void axis_missing(file *f)
{
    start_pair(f);
    node_of(f, "a.weight_dq")->n_attribute = 0;
}

static void axis_mismatch(file *f)
{
    start_pair(f);
    init_of(f, "a.weight")->dims[0] = 8;
    init_of(f, "a.weight")->dims[1] = 32;
}

static void axis_outside(file *f)
{
    start_pair(f);
    node_of(f, "a.weight_dq")->attribute[0]->i = 4;
}

static void axis_input(file *f)
{
    start_pair(f);
    node_of(f, "a.weight_dq")->attribute[0]->i = 1;
}

static void axis_of_transposed(file *f)
{
    axis_input(f);
    node_of(f, "a")->op_type = arena_strdup(f->a, "ConvTranspose");
}

static void tensor_weight(file *f)
{
    start_pair(f);
    set_input(f, "a.weight_dq", 1, "a.in.scale");
    set_input(f, "a.weight_dq", 2, "a.in.zero");
}

static void pair_differs(file *f)
{
    start_pair(f);
    scales(f, "other", 0, 0.3f);
    set_input(f, "a.in.dq", 1, "other");
}

/* ---- where quantizers stand ---- */

static void codes_raw(file *f)
{
    start_pair(f);
    set_input(f, "a", 0, "a.in.codes");
}

static void codes_moved(file *f)
{
    start_pair(f);
    longs(f, "shape", 4, (int64_t[]){1, 16, 8, 8});
    op(f, "Reshape", "a.in.codes shape", "moved");
    set_input(f, "a.in.dq", 0, "moved");
}

static void codes_given(file *f)
{
    start_pair(f);
    image(f, "given");
    f->inputs[1]->type->tensor_type->elem_type = INT8;
    set_input(f, "a.in.dq", 0, "given");
}

static void weight_given(file *f)
{
    start_pair(f);
    input(f, "w", DIMS(16, 16, 3, 3));
    pair(f, "w", "given", 0.1f);
    set_input(f, "a", 1, "given.dq");
}

static void weight_float(file *f)
{
    start_pair(f);
    floats(f, "a.float", DIMS(16, 16, 3, 3));
    set_input(f, "a", 1, "a.float");
}

static void input_float(file *f)
{
    start_pair(f);
    set_input(f, "a", 0, "images");
}

/* images -> Conv "a" -> `middle` -> pair "o" -> output */
static void alone(file *f, const char *middle)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    if (middle)
        op(f, middle, "y", "r");
    pair(f, middle ? "r" : "y", "o", 0.2f);
    output(f, "o.dq");
}

static void relu_before_int8(file *f)
{
    alone(f, "Relu");
}

static void no_relu(file *f)
{
    alone(f, NULL);
}

/* a -> pair "s" -> Relu: the quantizer is one place too early. */
static void split_relu(file *f)
{
    start_pair(f);
    pair(f, "y", "s", 0.15f);
    set_input(f, "relu", 0, "s.dq");
}

/* The same inside a SiLU, as ONNX Runtime's quantizer places it. */
static void split_silu(file *f)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    pair(f, "y", "s", 0.15f);
    op(f, "Sigmoid", "s.dq", "g");
    op(f, "Mul", "s.dq g", "r");
    conv(f, "r", "b", 0.2f, "output");
    output(f, "output");
}

static void whole_silu(file *f)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    op(f, "Sigmoid", "y", "g");
    op(f, "Mul", "y g", "r");
    conv(f, "r", "b", 0.2f, "output");
    output(f, "output");
}

/* r -> Conv "b" -> Relu -> Add with r -> Conv "c"; `identity` is what the Add takes of r. */
static void block_with(file *f, const char *identity)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    op(f, "Relu", "y", "r");
    conv(f, "r", "b", 0.2f, "u");
    op(f, "Relu", "u", "v");
    named(f, "add", op(f, "Add", arena_printf(f->a, "%s v", identity), "sum"));
    conv(f, "sum", "c", 0.3f, "output");
    output(f, "output");
}

static void residual_float(file *f)
{
    block_with(f, "r");
}

static void residual_codes(file *f)
{
    block_with(f, "b.in.dq");
}

/* `x` -> Cast -> the quantizer `q` */
static void cast_before(file *f, const char *x, const char *q)
{
    start_pair(f);
    attr_int(f, named(f, "cast", op(f, "Cast", x, "c")), "to", FLOAT);
    set_input(f, q, 0, "c");
}

static void cast_between(file *f)
{
    cast_before(f, "r", "b.in.q");
}

static void cast_of_input(file *f)
{
    cast_before(f, "images", "a.in.q");
}

/* y1 and y2 meet in a Concat that "d" reads with scale 0.2; "c" reads y1 with `scale`. */
static void meeting(file *f, float scale)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y1");
    conv(f, "images", "b", 0.1f, "y2");
    conv(f, "y1", "c", scale, "z");
    attr_int(f, named(f, "concat", op(f, "Concat", "y1 y2", "both")), "axis", 2);
    conv(f, "both", "d", 0.2f, "output");
    output(f, "z");
    output(f, "output");
}

static void concat_clash(file *f)
{
    meeting(f, 0.5f);
}

static void concat_shared(file *f)
{
    meeting(f, 0.2f);
}

static void two_scales(file *f)
{
    start_pair(f);
    conv(f, "r", "c", 0.5f, "z");
    output(f, "z");
}

static void one_scale(file *f)
{
    start_pair(f);
    conv(f, "r", "c", 0.2f, "z");
    output(f, "z");
}

static void two_forms(file *f)
{
    start_pair(f);
    op(f, "Abs", "r", "absolute");
    output(f, "absolute");
}

static void few(file *f, int64_t channels)
{
    start(f);
    input(f, "images", DIMS(1, channels, 8, 8));
    const char *in = pair(f, "images", "a.in", 0.1f);
    weight(f, "a", 12, channels, 3);
    op(f, "Conv", arena_printf(f->a, "%s a.w", in), "output");
    output(f, "output");
}

static void few_channels(file *f)
{
    few(f, 3);
}

static void enough_channels(file *f)
{
    few(f, 8);
}

/* ---- the head of a detector ---- */

/* output of "b" -> boxes and scores -> Concat -> quantized with `scale`. */
static void decode(file *f, float scale)
{
    start_pair(f);
    floats(f, "stride", 0, NULL);
    op(f, "Mul", "output stride", "boxes");
    op(f, "Sigmoid", "output", "scores");
    attr_int(f, named(f, "joint", op(f, "Concat", "boxes scores", "all")), "axis", 1);
    pair(f, "all", "late", scale);
    output(f, "late.dq");
}

static void decode_coarse(file *f)
{
    decode(f, 5.03937f); /* 640 / 127 */
}

static void decode_fine(file *f)
{
    decode(f, 1.0f / 127);
}

/* As YOLOv7 decodes: the levels are joined behind what joins boxes and scores. */
static void decode_levels(file *f)
{
    start_pair(f);
    floats(f, "stride", 0, NULL);
    longs(f, "rows", 3, (int64_t[]){1, -1, 8});
    op(f, "Sigmoid", "output", "all");
    op(f, "Split", "all", "xy rest");
    op(f, "Mul", "xy stride", "boxes");
    attr_int(f, named(f, "joint", op(f, "Concat", "boxes rest", "level")), "axis", 1);
    op(f, "Reshape", "level rows", "lines");
    attr_int(f, op(f, "Concat", "lines lines", "levels"), "axis", 1);
    pair(f, "levels", "late", 5.03937f);
    output(f, "late.dq");
}

/* Scores alone may have any scale. */
static void decode_scores(file *f)
{
    start_pair(f);
    op(f, "Sigmoid", "output", "scores");
    op(f, "Softmax", "output", "classes");
    op(f, "Mul", "scores classes", "both");
    attr_int(f, op(f, "Concat", "scores both", "all"), "axis", 1);
    pair(f, "all", "late", 5.03937f);
    output(f, "late.dq");
}

static void decode_float(file *f)
{
    start_pair(f);
    op(f, "Sigmoid", "output", "scores");
    output(f, "scores");
}

static void head_float(file *f)
{
    start_pair(f);
    floats(f, "b.float", DIMS(16, 16, 3, 3));
    set_input(f, "b", 0, "r");
    set_input(f, "b", 1, "b.float");
}

#endif
