/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a valid graph with quantizers: lowering it, and writing and reading it, keep its bits.
 */
#include "fuzz.h"
#include "random_graph.h"

#include "model/model.h"

static ptq_error err;

/* As a file and back. */
static void expect_same_file(const graph *ref, const graph_values *want, const double *input)
{
    char path[64];
    model *m;
    if (!fuzz_file(NULL, 0, path))
        return;
    assert_ok(onnx_export(ref, path, &(onnx_export_options){.opset = 13}, NULL, &err));
    assert_ok(model_load(path, NULL, NULL, &m, &err));
    unlink(path);
    assert_ok(graph_verify(m->graph, &err));
    graph_values got = random_graph_run(m->graph, input);
    expect_same_outputs(ref, want, m->graph, &got);
    graph_values_free(&got);
    model_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static random_graph m;
    double input[RANDOM_INPUT];
    random_input(input);
    random_graph_from(&m, data, size);
    assert_ok(pass_insert_qdq(m.g, &m.plan.plan, &err));
    assert_ok(graph_verify(m.g, &err));
    graph_values want = random_graph_run(m.g, input);
    const char *keep[] = {graph_tensor(m.g, m.values[m.n / 2].id)->name, NULL};
    lower_options o = {.precision = PRECISION_FP32};
    expect_same_lowered(m.g, &want, &o, input);
    o.precision = PRECISION_INT8;
    o.without = size ? data[size - 1] % 32u : 0; /* any set of fusions */
    expect_same_lowered(m.g, &want, &o, input);
    o = (lower_options){.precision = PRECISION_INT8, .keep = keep};
    expect_same_lowered(m.g, &want, &o, input);
    expect_same_file(m.g, &want, input);
    graph_values_free(&want);
    graph_destroy(m.g);
    return 0;
}
