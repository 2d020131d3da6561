/* SPDX-License-Identifier: Apache-2.0 */
/* The passes on real models: outputs stay, and what is left is what the engine likes. The fused
 * weights are compared with the official ones in model/test_pt_import.c. */
#include "graph_eval.h"
#include "test_plan.h"

#include "base/mem.h"
#include "engine/session.h"
#include "model/model.h"
#include "passes/passes.h"

static ptq_error err;

enum { SIZE = 64 };

typedef ptq_status pass_fn(graph *g, ptq_error *err);

static model *load(const char *relative)
{
    char path[512];
    model *m;
    assert_ok(model_load(test_shared(relative, path), NULL, NULL, &m, &err));
    return m;
}

/* First output for a smooth picture. */
static float *run(const graph *g, size_t *n)
{
    static float x[3 * SIZE * SIZE];
    session *s;
    session_options o = {.threads = 1, .level = cpu_best()};
    for (int i = 0; i < 3 * SIZE * SIZE; i++)
        x[i] = 0.5f + 0.25f * sinf(0.05f * (float)(i % SIZE)) +
               0.25f * sinf(0.03f * (float)(i / SIZE));
    assert_ok(session_create(g, &o, &s, &err));
    assert_ok(session_run(s, &(tensor_view){x, DTYPE_F32, shape4(1, 3, SIZE, SIZE)}, 1, &err));
    tensor_view y = engine_output(session_engine(s), 0);
    assert_true(shape_count(&y.shape, n));
    float *copy = malloc(*n * sizeof *copy);
    memcpy(copy, y.data, *n * sizeof *copy);
    session_destroy(s);
    return copy;
}

static void expect_output(const graph *g, const float *want, size_t n, double tolerance)
{
    size_t count;
    assert_ok(graph_verify(g, &err));
    float *got = run(g, &count);
    assert_int_equal(count, n);
    assert_true(test_max_abs(want, got, n) < tolerance);
    free(got);
}

static const char *const checkpoints[] = {
    "shapes/yolov7-shapes.pt", "shapes-tiny/yolov7-tiny-shapes.pt", "yolov5n/yolov5n.pt"};

/* Each pass alone, then all: boxes move by less than 2e-3 of a pixel, the bound of the FP32
 * acceptance. */
static void every_pass_keeps_the_outputs(void **state)
{
    (void)state;
    static pass_fn *const passes[] = {pass_fold_constants,  pass_recognise_activations,
                                      pass_fuse_batch_norm, pass_fuse_implicit,
                                      pass_fuse_rep,        passes_clean};
    for (size_t k = 0; k < sizeof checkpoints / sizeof *checkpoints; k++) {
        model *m = load(checkpoints[k]);
        size_t n;
        float *want = run(m->graph, &n);
        for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
            graph *g;
            assert_ok(graph_copy(m->graph, &g, &err));
            assert_ok(passes[i](g, &err));
            expect_output(g, want, n, 2e-3);
            graph_destroy(g);
        }
        expect_output(m->graph, want, n, 0x1p-149); /* copies share weights: none was touched */
        assert_ok(passes_clean(m->graph, &err));    /* its own weights, in place */
        expect_output(m->graph, want, n, 2e-3);
        free(want);
        model_destroy(m);
    }
}

static bool is_head(const graph *g, const node *n)
{
    node_id reader;
    return graph_consumers(g, n->outputs[0], &reader, 1) == 1 &&
           graph_node_const(g, reader)->op == GRAPH_OP_YOLO_DECODE;
}

/* One range for every tensor but the image, one per weight: scales never keep things apart. */
static void quantize_all(graph *g)
{
    float image = 1, inner = 4, weight = 2;
    quantizer z = {.enabled = true, .num_bits = 8, .axis = -1, .n_amax = 1};
    qplan plan = {.entries = mem_array((size_t)graph_n_nodes(g), sizeof *plan.entries)};
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (n->op != GRAPH_OP_CONV || is_head(g, n))
            continue;
        qplan_entry *e = &plan.entries[plan.n_entries++];
        *e = (qplan_entry){(char *)(uintptr_t)n->name, z, z};
        e->input.amax = n->inputs[0] == graph_input(g, 0) ? &image : &inner;
        e->weight.amax = &weight;
    }
    assert_ok(pass_insert_qdq(g, &plan, &err));
    mem_free(plan.entries);
}

/* All but the head in integers, one quantizer (of the image); YOLOv5's Adds need theirs. */
static void yolo_runs_on_codes(void **state)
{
    (void)state;
    static const int n_qconv[] = {89, 55, 57};
    for (size_t k = 0; k < sizeof checkpoints / sizeof *checkpoints; k++) {
        model *m = load(checkpoints[k]);
        assert_ok(passes_clean(m->graph, &err));
        quantize_all(m->graph);
        assert_ok(pass_lower(
            m->graph, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
        assert_ok(graph_verify(m->graph, &err));
        assert_int_equal(count_ops(m->graph, GRAPH_OP_QCONV), n_qconv[k]);
        assert_int_equal(count_ops(m->graph, GRAPH_OP_CONV), 3);
        assert_int_equal(count_ops(m->graph, GRAPH_OP_DEQUANTIZE_LINEAR), 0);
        if (k < 2)
            assert_int_equal(count_ops(m->graph, GRAPH_OP_QUANTIZE_LINEAR), 1);
        size_t n;
        free(run(m->graph, &n));
        model_destroy(m);
    }
}

/* ONNX Runtime's quantizer: u8 activations, int32 biases, pairs around everything. */
static void a_foreign_detector_runs_on_codes(void **state)
{
    (void)state;
    model *m = load("qdq/yolov8n-640-qdq-ort.onnx");
    assert_ok(passes_clean(m->graph, &err));
    assert_ok(pass_lower(m->graph, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true},
                         &err));
    assert_ok(graph_verify(m->graph, &err));
    assert_int_equal(count_ops(m->graph, GRAPH_OP_QCONV), 64);
    assert_int_equal(count_ops(m->graph, GRAPH_OP_CONV), 0);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pass_keeps_the_outputs),
        cmocka_unit_test(yolo_runs_on_codes),
        cmocka_unit_test(a_foreign_detector_runs_on_codes),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
