/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/session.h"
#include "formats/npy.h"
#include "model/model.h"
#include "passes/passes.h"

static ptq_error err;

static const char *temp_file(const char *dir, const char *name, char buffer[600])
{
    snprintf(buffer, 600, "%s/%s", dir, name);
    return buffer;
}

static model *load(const char *path)
{
    model *m;
    assert_ok(model_load(path, NULL, NULL, &m, &err));
    return m;
}

static int export(const graph *g, const char *path, onnx_export_options o)
{
    int n_nodes = 0;
    o.opset = o.opset ? o.opset : 13;
    o.batch = o.batch ? o.batch : 1;
    assert_ok(onnx_export(g, path, &o, &n_nodes, &err));
    return n_nodes;
}

/* ---- outside programs, when they are there ---- */

/* Exit status of a program, its output thrown away; -1 when it could not be started. */
static int run(const char *const argv[])
{
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
            execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static bool has_checker(void)
{
    static int known = -1;
    if (known < 0)
        known = run((const char *[]){"/usr/bin/python3", "-c", "import onnx", NULL}) == 0;
    if (!known)
        print_message("SKIPPED: no Python package onnx to check the file with\n");
    return known;
}

/* onnx.checker with shape inference; Debian's onnx 1.12 knows opsets up to 17. */
static void check_file(const char *path)
{
    static const char script[] =
        "import onnx, sys; onnx.checker.check_model(sys.argv[1], full_check=True)";
    if (has_checker())
        assert_int_equal(run((const char *[]){"/usr/bin/python3", "-c", script, path, NULL}), 0);
}

/* ---- comparing graphs ---- */

static void same_tensor(const graph *a, tensor_id ta, const graph *b, tensor_id tb)
{
    assert_int_equal(ta == TENSOR_NONE, tb == TENSOR_NONE);
    if (ta == TENSOR_NONE)
        return;
    const tensor *x = graph_tensor_const(a, ta), *y = graph_tensor_const(b, tb);
    size_t n;
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->type, y->type);
    assert_true(shape_equal(&x->shape, &y->shape));
    assert_int_equal(x->data != NULL, y->data != NULL);
    if (x->data && shape_count(&x->shape, &n))
        assert_memory_equal(blob_data(x->data), blob_data(y->data), n * dtype_bytes(x->type));
}

static void same_graph(const graph *a, const graph *b)
{
    assert_int_equal(graph_n_nodes(a), graph_n_nodes(b));
    for (int i = 0; i < graph_n_nodes(a); i++) {
        const node *x = graph_node_const(a, (node_id)i), *y = graph_node_const(b, (node_id)i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->op, y->op);
        assert_int_equal(x->n_inputs, y->n_inputs);
        assert_int_equal(x->n_outputs, y->n_outputs);
        assert_memory_equal(&x->attr, &y->attr, sizeof x->attr);
        for (int k = 0; k < x->n_inputs; k++)
            same_tensor(a, x->inputs[k], b, y->inputs[k]);
        for (int k = 0; k < x->n_outputs; k++)
            same_tensor(a, x->outputs[k], b, y->outputs[k]);
    }
    assert_int_equal(graph_n_outputs(a), graph_n_outputs(b));
    for (int i = 0; i < graph_n_outputs(a); i++)
        same_tensor(a, graph_output(a, i), b, graph_output(b, i));
}

static void same_bytes(const char *a, const char *b)
{
    char *x, *y;
    size_t n, m;
    assert_ok(file_read(a, 0, &x, &n, &err));
    assert_ok(file_read(b, 0, &y, &m, &err));
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    mem_free(x);
    mem_free(y);
}

/* A file's graph, written and read again, is the same graph; written twice, the same bytes. */
static void round_trip(const char *relative)
{
    char shared[512], dir[512], once[600], twice[600];
    model *m = load(test_shared(relative, shared));
    test_temp_dir(dir);
    int opset = strstr(relative, "opset18") ? 18 : 13;
    export(m->graph, temp_file(dir, "once.onnx", once), (onnx_export_options){.opset = opset});
    model *again = load(once);
    same_graph(m->graph, again->graph);
    assert_int_equal(m->n_parameters, again->n_parameters);
    export(again->graph, temp_file(dir, "twice.onnx", twice),
           (onnx_export_options){.opset = opset});
    same_bytes(once, twice);
    if (opset == 13)
        check_file(once);
    model_destroy(again);
    model_destroy(m);
    test_temp_remove(dir);
}

static void files_survive_a_round_trip(void **state)
{
    (void)state;
    round_trip("shapes/yolov7-shapes-grid640.onnx");
    round_trip("qdq/yolov8n-640-qdq-ort.onnx");
    round_trip("yolox_nano/yolox_nano.onnx");
    round_trip("qdq/ort-testdata/conv_qdq_external_ini.onnx");
    round_trip("qdq/ort-testdata/nhwc_resize_sizes_opset18.quant.onnx");
    round_trip("qdq/ort-testdata/qdq_with_multi_consumer_dq_nodes.onnx");
}

/* ---- checkpoints ---- */

/* What a checkpoint's graph becomes: the layers keep their names and weights, the activations are
 * found again, and the shapes are those of the official export. */
static void a_checkpoint_is_written(void **state)
{
    (void)state;
    char shared[512], dir[512], path[600], text[128];
    model *m = load(test_shared("shapes/yolov7-shapes.pt", shared));
    assert_ok(passes_clean(m->graph, &err));
    test_temp_dir(dir);
    const char *const metadata[] = {"names", "['a', 'b']", "method", "mse", NULL};
    int n_nodes = export(m->graph, temp_file(dir, "m.onnx", path),
                         (onnx_export_options){.image_size = 320, .metadata = metadata});
    check_file(path);
    model *again = load(path);
    assert_int_equal(graph_n_nodes(again->graph), n_nodes);
    assert_int_equal(again->n_classes, 2);
    assert_string_equal(again->metadata[3], "mse");
    const shape *in = &graph_tensor(again->graph, graph_input(again->graph, 0))->shape;
    const tensor *out = graph_tensor(again->graph, graph_output(again->graph, 0));
    assert_string_equal(shape_text(in, text), "[1,3,320,320]");
    assert_string_equal(out->name, "output");
    assert_string_equal(shape_text(&out->shape, text), "[1,6300,13]");
    assert_ok(pass_recognise_activations(again->graph, &err));
    assert_int_equal(count_ops(again->graph, GRAPH_OP_SILU), count_ops(m->graph, GRAPH_OP_SILU));
    for (int i = 0; i < graph_n_nodes(m->graph); i++) {
        const node *n = graph_node(m->graph, (node_id)i);
        if (n->op != GRAPH_OP_CONV && n->op != GRAPH_OP_SILU)
            continue;
        const node *kept = expect_node(again->graph, n->name, n->op);
        if (n->op == GRAPH_OP_CONV)
            same_tensor(m->graph, n->inputs[1], again->graph, kept->inputs[1]);
    }
    model_destroy(again);
    model_destroy(m);
    test_temp_remove(dir);
}

static void a_raw_head_has_one_output_per_level(void **state)
{
    (void)state;
    static const char *const want[] = {"[1,3,40,40,13]", "[1,3,20,20,13]", "[1,3,10,10,13]"};
    char shared[512], dir[512], path[600], text[128];
    model *m = load(test_shared("shapes/yolov7-shapes.pt", shared));
    test_temp_dir(dir);
    export(m->graph, temp_file(dir, "m.onnx", path),
           (onnx_export_options){.image_size = 320, .head = HEAD_RAW});
    check_file(path);
    model *again = load(path);
    assert_int_equal(again->n_classes, 8);
    assert_int_equal(graph_n_outputs(again->graph), 3);
    for (int i = 0; i < 3; i++) {
        const tensor *t = graph_tensor(again->graph, graph_output(again->graph, i));
        assert_string_equal(shape_text(&t->shape, text), want[i]);
    }
    model_destroy(again);
    model_destroy(m);

    m = load(test_shared("shapes/yolov7-shapes-grid640.onnx", shared));
    onnx_export_options o = {.opset = 13, .image_size = 640, .batch = 1, .head = HEAD_RAW};
    assert_status(onnx_export(m->graph, path, &o, NULL, &err), PTQ_UNSUPPORTED);
    model_destroy(m);
    test_temp_remove(dir);
}

/* ---- every operator: the file computes what the graph computes ---- */

static tensor_id longs(graph *g, const char *name, int n, const int64_t *values)
{
    tensor_id id;
    shape s = shape_make(1, (int64_t[]){n});
    assert_ok(graph_add_const_copy(g, name, DTYPE_I64, &s, values, &id, &err));
    return id;
}

static tensor_id unary(graph *g, graph_op op, const char *name, tensor_id x, op_attr attr)
{
    return make_op(g, op, name, 1, &x, &attr);
}

static void keep(graph *g, tensor_id y)
{
    assert_ok(graph_add_output(g, y, &err));
}

static void add_windows(graph *g, tensor_id x, test_rng *rng)
{
    static const act_kind acts[] = {ACT_SILU,    ACT_RELU,       ACT_LEAKY_RELU,
                                    ACT_SIGMOID, ACT_HARD_SWISH, ACT_TANH};
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "act%d.conv", i);
        tensor_id y = make_conv(g, &(make_conv_desc){.name = name,
                                                     .x = x,
                                                     .c_in = 4,
                                                     .c_out = 6,
                                                     .kernel = 3,
                                                     .stride = 1 + i % 2,
                                                     .groups = 2,
                                                     .random_bias = i % 2,
                                                     .rng = rng});
        graph_node(g, graph_producer(g, y))->attr.conv.act = (activation){acts[i], 0.125f};
        keep(g, y);
    }
    tensor_id up = make_conv(g, &(make_conv_desc){.name = "up",
                                                  .x = x,
                                                  .c_in = 4,
                                                  .c_out = 2,
                                                  .kernel = 3,
                                                  .stride = 2,
                                                  .is_transpose = true,
                                                  .rng = rng});
    graph_node(g, graph_producer(g, up))->attr.conv.output_pad[1] = 1;
    keep(g, up);
    op_attr pool = {.pool = {.kernel = {3, 2}, .stride = {2, 2}, .dilation = {1, 1}}};
    pool.pool.pad[0] = pool.pool.pad[2] = 1;
    keep(g, unary(g, GRAPH_OP_MAX_POOL, "max", x, pool));
    pool.pool.count_include_pad = true;
    keep(g, unary(g, GRAPH_OP_AVERAGE_POOL, "average", x, pool));
    pool.pool.dilation[0] = 2;
    pool.pool.ceil_mode = true;
    keep(g, unary(g, GRAPH_OP_MAX_POOL, "dilated", x, pool));
    keep(g, make_batch_norm(g, "bn", x, 4, rng));
}

static void add_images(graph *g, tensor_id x)
{
    op_attr resize = {.resize = {.coord = RESIZE_ASYMMETRIC, .scale = {2, 3}}};
    keep(g, unary(g, GRAPH_OP_RESIZE, "nearest", x, resize));
    resize = (op_attr){.resize = {.mode = RESIZE_LINEAR,
                                  .coord = RESIZE_HALF_PIXEL,
                                  .nearest = RESIZE_ROUND_PREFER_FLOOR,
                                  .size = {5, 13}}};
    keep(g, unary(g, GRAPH_OP_RESIZE, "linear", x, resize));
    keep(g, unary(g, GRAPH_OP_SPACE_TO_DEPTH, "reorg", x, (op_attr){.space = {.block = 2}}));
    op_attr split = {.axis = {.axis = 1, .n_splits = 2, .split = {1, 3}}};
    shape unknown = {.rank = 1, .dim = {-1}};
    tensor_id parts[2];
    assert_ok(graph_add_tensor(g, "one", DTYPE_F32, &unknown, &parts[0], &err));
    assert_ok(graph_add_tensor(g, "three", DTYPE_F32, &unknown, &parts[1], &err));
    node n = {.name = "split", .op = GRAPH_OP_SPLIT, .n_inputs = 1, .n_outputs = 2};
    n.inputs = &x;
    n.outputs = parts;
    n.attr = split;
    assert_ok(graph_add_node(g, &n, NULL, &err));
    keep(g, parts[1]);
    tensor_id part[2] = {parts[1], x};
    keep(g, make_concat(g, "concat", 2, part));
    tensor_id bounds[5] = {x, longs(g, "starts", 2, (int64_t[]){-1, 1}),
                           longs(g, "ends", 2, (int64_t[]){INT64_MIN, 7}),
                           longs(g, "axes", 2, (int64_t[]){3, 2}),
                           longs(g, "steps", 2, (int64_t[]){-2, 3})};
    keep(g, make_op(g, GRAPH_OP_SLICE, "slice", 5, bounds, NULL));
    op_attr axis = {.axis = {.axis = -1}};
    keep(g, unary(g, GRAPH_OP_SOFTMAX, "softmax", x, axis));
    op_attr perm = {.perm = {.rank = 4, .perm = {0, 2, 3, 1}}};
    keep(g, unary(g, GRAPH_OP_TRANSPOSE, "transpose", x, perm));
    tensor_id gap = unary(g, GRAPH_OP_GLOBAL_AVERAGE_POOL, "gap", x, (op_attr){0});
    op_attr axes = {.perm = {.rank = 2, .perm = {2, -1}}};
    tensor_id flat = unary(g, GRAPH_OP_SQUEEZE, "squeeze", gap, axes);
    keep(g, unary(g, GRAPH_OP_UNSQUEEZE, "unsqueeze", flat, axes));
    op_attr gemm = {.gemm = {.alpha = 2, .beta = 0.5f, .trans_b = true}};
    shape w = shape_make(2, (int64_t[]){3, 4}), b = shape_make(1, (int64_t[]){3});
    float values[12];
    make_ramp(values, 12, -0.5f, 0.1f);
    tensor_id in[3] = {flat, make_const(g, "fc.weight", &w, values),
                       make_const(g, "fc.bias", &b, values)};
    keep(g, make_op(g, GRAPH_OP_GEMM, "fc", 3, in, &gemm));
    tensor_id at = longs(g, "at", 2, (int64_t[]){3, -4});
    op_attr first = {.axis = {.axis = 1}};
    keep(g, make_op(g, GRAPH_OP_GATHER, "gather", 2, (tensor_id[]){flat, at}, &first));
    keep(g, unary(g, GRAPH_OP_FLATTEN, "flatten", x, first));
}

static void add_pointwise(graph *g, tensor_id x)
{
    static const graph_op ops[] = {
        GRAPH_OP_SIGMOID, GRAPH_OP_SILU,     GRAPH_OP_RELU,     GRAPH_OP_HARD_SWISH, GRAPH_OP_TANH,
        GRAPH_OP_EXP,     GRAPH_OP_FLOOR,    GRAPH_OP_CEIL,     GRAPH_OP_NEG,        GRAPH_OP_ABS,
        GRAPH_OP_ERF,     GRAPH_OP_SOFTPLUS, GRAPH_OP_IDENTITY, GRAPH_OP_LEAKY_RELU};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        keep(g, make_unary(g, ops[i], graph_op_name(ops[i]), x));
    tensor_id positive = make_unary(g, GRAPH_OP_EXP, "positive", x);
    keep(g, make_unary(g, GRAPH_OP_SQRT, "sqrt", positive));
    keep(g, make_unary(g, GRAPH_OP_LOG, "log", positive));
    keep(g, unary(g, GRAPH_OP_HARD_SIGMOID, "hard", x, (op_attr){.slope = {0.25f, 0.5f}}));
    keep(g, unary(g, GRAPH_OP_CLIP, "clip", x, (op_attr){.clip = {.min = -0.5f, .max = 0.75f}}));
    keep(g,
         unary(g, GRAPH_OP_CLIP, "floor", x, (op_attr){.clip = {.min = 0.25f, .max = INFINITY}}));
    static const graph_op pairs[] = {GRAPH_OP_ADD, GRAPH_OP_SUB, GRAPH_OP_MUL, GRAPH_OP_DIV,
                                     GRAPH_OP_POW, GRAPH_OP_MAX, GRAPH_OP_MIN};
    shape s = shape_make(3, (int64_t[]){4, 1, 1});
    tensor_id c = make_const(g, "per_channel", &s, (float[]){0.5f, 1, 2, 3});
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        keep(g, make_binary(g, pairs[i], graph_op_name(pairs[i]), positive, c));
}

/* As a float: the outputs are compared as floats. */
static void keep_as_float(graph *g, const char *name, tensor_id x)
{
    op_attr to = {.cast = {DTYPE_F32}};
    keep(g, unary(g, GRAPH_OP_CAST, name, x, to));
}

static void add_comparisons(graph *g, tensor_id x)
{
    static const graph_op ops[] = {GRAPH_OP_EQUAL, GRAPH_OP_GREATER, GRAPH_OP_GREATER_EQUAL,
                                   GRAPH_OP_LESS_EQUAL, GRAPH_OP_LESS};
    shape s = shape_make(3, (int64_t[]){4, 1, 1});
    tensor_id c = make_const(g, "limits", &s, (float[]){0.25f, -0.5f, 1, 0.75f});
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        tensor_id y = make_binary(g, ops[i], graph_op_name(ops[i]), x, c);
        char name[40];
        snprintf(name, sizeof name, "%s_float", graph_op_name(ops[i]));
        keep_as_float(g, name, y);
    }
    op_attr is_float = {.mod = {true}};
    keep(g, make_op(g, GRAPH_OP_MOD, "rest", 2, (tensor_id[]){x, c}, &is_float));
    keep(g, make_binary(g, GRAPH_OP_PRELU, "prelu", x, c));
    tensor_id less = make_binary(g, GRAPH_OP_LESS, "a", x, c);
    tensor_id more = make_binary(g, GRAPH_OP_GREATER, "b", x, c);
    keep_as_float(g, "and", make_binary(g, GRAPH_OP_AND, "both", less, more));
    keep_as_float(g, "or", make_binary(g, GRAPH_OP_OR, "one", less, more));
    keep_as_float(g, "xor", make_binary(g, GRAPH_OP_XOR, "differ", less, more));
    keep_as_float(g, "not", make_unary(g, GRAPH_OP_NOT, "none", less));
    keep(g, make_op(g, GRAPH_OP_WHERE, "where", 3, (tensor_id[]){less, x, c}, &(op_attr){0}));
}

static void add_reductions(graph *g, tensor_id x)
{
    op_attr over = {.reduce = {.n_axes = 2, .axes = {1, -1}, .keep_dims = true}};
    op_attr end = {.reduce = {.n_axes = 1, .axes = {2}, .to_end = true}};
    op_attr arg = {.reduce = {.n_axes = 1, .axes = {1}, .select_last = true}};
    for (int op = GRAPH_OP_REDUCE_SUM; op <= GRAPH_OP_REDUCE_L2; op++)
        keep(g, unary(g, (graph_op)op, graph_op_name((graph_op)op), x, over));
    keep(g, unary(g, GRAPH_OP_REDUCE_LOG_SUM_EXP, "lse", x, end));
    keep_as_float(g, "argmax", unary(g, GRAPH_OP_ARG_MAX, "most", x, arg));
    keep_as_float(g, "argmin", unary(g, GRAPH_OP_ARG_MIN, "least", x, arg));
}

static void add_choosing(graph *g, tensor_id x)
{
    op_attr top = {.top = {.axis = 1}}, edge = {.pad = {PAD_EDGE}};
    op_attr depth = {.space = {2, SPACE_CRD}}, space = {.space = {2, SPACE_DCR}};
    op_attr alpha = {.slope = {0.75f, 1.5f}};
    tensor_id k = longs(g, "k", 1, (int64_t[]){2});
    tensor_id pads = longs(g, "pads", 8, (int64_t[]){0, 0, 1, 2, 0, 0, 2, -1});
    tensor_id repeats = longs(g, "repeats", 4, (int64_t[]){1, 2, 1, 2});
    keep(g, make_op(g, GRAPH_OP_TOP_K, "top", 2, (tensor_id[]){x, k}, &top));
    keep(g, make_op(g, GRAPH_OP_PAD, "padded", 2, (tensor_id[]){x, pads}, &edge));
    keep(g, make_op(g, GRAPH_OP_TILE, "tiled", 2, (tensor_id[]){x, repeats}, &(op_attr){0}));
    keep(g, unary(g, GRAPH_OP_DEPTH_TO_SPACE, "crd", x, depth));
    keep(g, unary(g, GRAPH_OP_SPACE_TO_DEPTH, "dcr", x, space));
    keep(g, unary(g, GRAPH_OP_ELU, "elu", x, alpha));
    keep(g, unary(g, GRAPH_OP_SELU, "selu", x, alpha));
    keep(g, make_unary(g, GRAPH_OP_ROUND, "round", x));
    keep(g, make_unary(g, GRAPH_OP_SIGN, "sign", x));
    keep(g, make_unary(g, GRAPH_OP_RECIPROCAL, "reciprocal", make_unary(g, GRAPH_OP_EXP, "e", x)));
}

static void add_head(graph *g, tensor_id x, test_rng *rng)
{
    op_attr decode = {.decode = {.n_anchors = 3, .n_values = 7, .stride = 8}};
    tensor_id raw = make_conv(
        g,
        &(make_conv_desc){
            .name = "head.m.0", .x = x, .c_in = 4, .c_out = 21, .random_bias = true, .rng = rng});
    shape s = shape_make(2, (int64_t[]){3, 2});
    tensor_id anchors = make_const(g, "anchors", &s, (float[]){12, 16, 19, 36, 40, 28});
    tensor_id in[2] = {raw, anchors};
    keep(g, make_op(g, GRAPH_OP_YOLO_DECODE, "head.decode.0", 2, in, &decode));
    keep(g, make_op(g, GRAPH_OP_YOLO_RAW, "head.raw.0", 1, &raw, &decode));
    keep(g, make_qdq(g, "quantizer", x, 0.0625f, DTYPE_I8, 0));
}

static graph *every_operator(void)
{
    graph *g;
    test_rng rng = {5};
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 4);
    add_windows(g, x, &rng);
    add_images(g, x);
    add_pointwise(g, x);
    add_comparisons(g, x);
    add_reductions(g, x);
    add_choosing(g, x);
    add_head(g, x, &rng);
    assert_ok(graph_tidy(g, &err));
    assert_ok(graph_verify(g, &err));
    return g;
}

enum { SIZE = 8, CHANNELS = 4 };

static void run_graph(const graph *g, int64_t batch, session **s)
{
    session_options o = {.threads = 1, .level = CPU_REF, .exact = true};
    test_rng rng = {9};
    size_t n = (size_t)batch * CHANNELS * SIZE * SIZE;
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(test_uniform(&rng) * 4 - 2);
    tensor_view x = {values, DTYPE_F32, shape4(batch, CHANNELS, SIZE, SIZE)};
    assert_ok(session_create(g, &o, s, &err));
    assert_ok(session_run(*s, &x, 1, &err));
    free(values);
}

static void same_results(const graph *g, const graph *written, int64_t batch)
{
    session *a, *b;
    run_graph(g, batch, &a);
    run_graph(written, batch, &b);
    assert_int_equal(graph_n_outputs(g), graph_n_outputs(written));
    for (int i = 0; i < graph_n_outputs(g); i++) {
        tensor_view x = engine_output(session_engine(a), i),
                    y = engine_output(session_engine(b), i);
        size_t n = 0;
        const char *name = graph_tensor_const(g, graph_output(g, i))->name;
        assert_true(shape_equal(&x.shape, &y.shape) && shape_count(&x.shape, &n));
        double d = test_max_abs(x.data, y.data, n);
        if (!(d <= 1e-4))
            fail_msg("output '%s' differs by %g", name, d);
    }
    session_destroy(a);
    session_destroy(b);
}

static void every_operator_is_written(void **state)
{
    (void)state;
    static const int opsets[] = {13, 14, 17, 18, 21};
    char dir[512], path[600];
    test_temp_dir(dir);
    graph *g = every_operator();
    for (int i = 0; i < 5; i++) {
        export(g, temp_file(dir, "m.onnx", path),
               (onnx_export_options){.image_size = SIZE, .opset = opsets[i]});
        if (opsets[i] <= 17)
            check_file(path);
        model *m = load(path);
        same_results(g, m->graph, 1);
        model_destroy(m);
    }
    graph_destroy(g);
    test_temp_remove(dir);
}

static void an_open_batch_follows_the_input(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    graph *g;
    test_rng rng = {6};
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 4);
    add_head(g, x, &rng);
    add_windows(g, x, &rng);
    assert_ok(graph_tidy(g, &err));
    export(g, temp_file(dir, "m.onnx", path),
           (onnx_export_options){.image_size = SIZE, .batch = -1});
    check_file(path);
    model *m = load(path);
    assert_int_equal(graph_tensor(m->graph, graph_input(m->graph, 0))->shape.dim[0], -1);
    same_results(g, m->graph, 3);
    model_destroy(m);

    op_attr whole = {0};
    tensor_id to = longs(g, "to", 2, (int64_t[]){1, -1});
    keep(g, make_op(g, GRAPH_OP_RESHAPE, "whole", 2, (tensor_id[]){x, to}, &whole));
    onnx_export_options o = {.opset = 13, .image_size = SIZE, .batch = -1};
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_SHAPE);
    assert_non_null(strstr(err.message, "the batch cannot be left open: output 'whole'"));
    graph_destroy(g);
    test_temp_remove(dir);
}

/* The same file in ONNX Runtime, when node and the acceptance script's copy of it are there. */
static void onnx_runtime_agrees(void **state)
{
    (void)state;
    char dir[512], path[600], in[600], script[512], home[512], module[600], out[600];
    const char *user = getenv("HOME");
    snprintf(home, sizeof home, "%s/.cache/ptq-check-ort", user ? user : "");
    snprintf(module, sizeof module, "%s/node_modules/onnxruntime-node", home);
    test_shared("../check/ort/run.mjs", script);
    if (access(module, R_OK) != 0) {
        print_message("SKIPPED: '%s' is absent\n", module);
        skip();
    }
    setenv("ORT_HOME", home, 0);
    test_temp_dir(dir);
    graph *g = every_operator();
    export(g, temp_file(dir, "m.onnx", path), (onnx_export_options){.image_size = SIZE});
    test_rng rng = {9}; /* as run_graph() */
    float values[CHANNELS * SIZE * SIZE];
    for (size_t i = 0; i < CHANNELS * SIZE * SIZE; i++)
        values[i] = (float)(test_uniform(&rng) * 4 - 2);
    int64_t dims[4] = {1, CHANNELS, SIZE, SIZE};
    assert_ok(npy_write_f32(temp_file(dir, "in.npy", in), values, 4, dims, &err));
    temp_file(dir, "out", out);
    assert_int_equal(run((const char *[]){"node", script, "run", path, in, out, NULL}), 0);
    session *s;
    run_graph(g, 1, &s);
    for (int i = 0; i < graph_n_outputs(g); i++) {
        const char *name = graph_tensor(g, graph_output(g, i))->name;
        snprintf(path, sizeof path, "%s/out/%s.npy", dir, name);
        npy_array want;
        assert_ok(npy_read_f32(path, 0, &want, &err));
        tensor_view got = engine_output(session_engine(s), i);
        double d = test_max_abs(got.data, want.data, want.count);
        if (!(d <= 1e-4))
            fail_msg("output '%s' differs by %g", name, d);
        npy_clear(&want);
    }
    session_destroy(s);
    graph_destroy(g);
    test_temp_remove(dir);
}

/* ---- quantized graphs ---- */

/* Weights behind the quantizers stay int8, per channel, and under the layer's name. */
static void quantizers_are_written(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    for (int with_floats = 0; with_floats < 2; with_floats++) {
        graph *g;
        test_rng rng = {3};
        assert_ok(graph_create(&g, &err));
        tensor_id x = make_input(g, 4);
        make_done(g, make_conv(g, &(make_conv_desc){.name = "model.0.conv",
                                                    .x = x,
                                                    .c_in = 4,
                                                    .c_out = 8,
                                                    .kernel = 3,
                                                    .random_bias = true,
                                                    .rng = &rng}));
        float in[1] = {4}, w[8] = {1, 1, 0.5f, 1, 2, 1, 1, 1};
        qplan_entry entry = {
            .layer = "model.0.conv",
            .input = {.enabled = true, .num_bits = 8, .axis = -1, .n_amax = 1, .amax = in},
            .weight = {.enabled = true, .num_bits = 8, .axis = 0, .n_amax = 8, .amax = w}};
        qplan plan = {.entries = &entry, .n_entries = 1, .float_weights = with_floats};
        assert_ok(pass_insert_qdq(g, &plan, &err));
        export(g, temp_file(dir, "q.onnx", path), (onnx_export_options){.image_size = SIZE});
        check_file(path);
        model *m = load(path);
        assert_true(m->has_qdq);
        assert_int_equal(m->n_parameters, 8 * 4 * 9 + 8);
        const node *conv = expect_node(m->graph, "model.0.conv", GRAPH_OP_CONV);
        const node *dq = graph_node(m->graph, graph_producer(m->graph, conv->inputs[1]));
        assert_int_equal(dq->op, GRAPH_OP_DEQUANTIZE_LINEAR);
        assert_int_equal(dq->attr.axis.axis, 0);
        const tensor *code = graph_tensor(m->graph, dq->inputs[0]);
        assert_int_equal(code->type, DTYPE_I8);
        if (!with_floats)
            assert_string_equal(code->name, "model.0.conv.weight");
        same_results(g, m->graph, 1);
        model_destroy(m);
        graph_destroy(g);
    }
    test_temp_remove(dir);
}

/* ---- refusals: nothing is left behind ---- */

static void impossible_exports_are_refused(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    temp_file(dir, "m.onnx", path);
    graph *g = every_operator();
    onnx_export_options o = {.opset = 12, .image_size = SIZE, .batch = 1};
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_USAGE);
    o.opset = 22;
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_USAGE);
    o.opset = 13;
    o.batch = 0;
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_USAGE);
    o.batch = 1;
    o.image_size = 0;
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_SHAPE);
    o.image_size = 9; /* SpaceToDepth needs an even size */
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_SHAPE);
    assert_non_null(strstr(err.message, "'reorg'"));
    o.image_size = SIZE;
    char absent[700];
    snprintf(absent, sizeof absent, "%s/no/m.onnx", dir);
    assert_status(onnx_export(g, absent, &o, NULL, &err), PTQ_IO);
    assert_false(file_exists(path));
    graph_destroy(g);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_survive_a_round_trip),
        cmocka_unit_test(a_checkpoint_is_written),
        cmocka_unit_test(a_raw_head_has_one_output_per_level),
        cmocka_unit_test(every_operator_is_written),
        cmocka_unit_test(an_open_batch_follows_the_input),
        cmocka_unit_test(onnx_runtime_agrees),
        cmocka_unit_test(quantizers_are_written),
        cmocka_unit_test(impossible_exports_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
