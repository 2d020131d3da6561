/* SPDX-License-Identifier: Apache-2.0 */
/* Tables about files and the machine: info, machine, run, list, export. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "report/table.h"
#include "report/view.h"

/* "yolov7.pt  PyTorch checkpoint  72.1 MiB  sha256 1f2e3d4c5b6a" */
static void print_file(str *out, const report_view *view)
{
    const json_t *model = view->model;
    str_add(out, field_text(model, "path", "model"));
    const char *format = field_text(view->result, "format", field_text(model, "format", NULL));
    if (format && strcmp(format, "pt") == 0)
        format = "PyTorch checkpoint";
    else if (format && strcmp(format, "onnx") == 0)
        format = field_flag(view->result, "has_qdq", false) ? "ONNX with Q/DQ" : "ONNX";
    if (format)
        str_addf(out, "  %s", format);
    double mib = field_number(model, "mib");
    if (!isnan(mib))
        str_addf(out, "  %.1f MiB", mib);
    const char *sha = field_text(model, "sha256", NULL);
    if (sha)
        str_addf(out, "  sha256 %.12s", sha);
    str_add(out, "\n");
}

static void print_ports(str *out, const char *label, const report_view *view, const char *key)
{
    const json_t *list = field_at(view->result, key);
    table t = TABLE_INIT("llll");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *port = json_array_get(list, i);
        str shape = STR_INIT;
        text_shape(&shape, field_at(port, "shape"));
        table_cell(&t, "%-7s", label);
        table_cell(&t, "%s", field_text(port, "name", "?"));
        table_cell(&t, "%s", field_text(port, "dtype", ""));
        table_cell(&t, "%s", str_text(&shape));
        str_clear(&shape);
    }
    table_print(&t, out, 2, view->limit);
}

static void print_stage(table *t, const char *stage, const json_t *result, const char *suffix)
{
    char key[32];
    snprintf(key, sizeof key, "parameters%s", suffix);
    double parameters = field_number(result, key);
    if (isnan(parameters))
        return;
    snprintf(key, sizeof key, "layers%s", suffix);
    table_cell(t, "%s", stage);
    table_number(t, 0, field_number(result, key));
    table_cell(t, "layers");
    table_number(t, 0, parameters);
    table_cell(t, "parameters");
    snprintf(key, sizeof key, "gflops%s", suffix);
    double gflops = field_number(result, key);
    table_number(t, 1, gflops);
    table_cell(t, isnan(gflops) ? "" : "GFLOPs");
}

static void print_sizes(str *out, const report_view *view)
{
    const json_t *result = view->result;
    table t = TABLE_INIT("lrlrlrl");
    bool is_fusable = !isnan(field_number(result, "parameters_fused"));
    print_stage(&t, is_fusable ? "before fusing" : "network", result, "");
    print_stage(&t, "after fusing", result, "_fused");
    table_print(&t, out, 2, view->limit);
    double classes = field_number(result, "classes"), stride = field_number(result, "stride");
    if (classes > 0 && stride > 0)
        str_addf(out, "  %.0f classes, largest stride %.0f\n", classes, stride);
    double conf = field_number(result, "nms.conf");
    if (!isnan(conf))
        str_addf(out, "  ends in a suppression: conf %g, IoU %g, %.0f detections at most\n", conf,
                 field_number(result, "nms.iou"), field_number(result, "nms.max_det"));
    double largest = field_number(result, "fused_max_abs_diff");
    if (!isnan(largest))
        str_addf(out, "  largest difference of an output by fusing: %.2g\n", largest);
}

typedef struct op_count {
    const char *name;
    json_int_t count;
} op_count;

static int more_first(const void *a, const void *b)
{
    const op_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void print_ops(str *out, const report_view *view)
{
    json_t *ops = json_object_get(view->result, "ops");
    size_t n = json_object_size(ops);
    if (n == 0)
        return;
    op_count *list = mem_array(n, sizeof *list);
    if (!list) {
        out->failed = true;
        return;
    }
    n = 0;
    const char *name;
    json_t *count;
    json_object_foreach(ops, name, count) list[n++] = (op_count){name, json_integer_value(count)};
    qsort(list, n, sizeof *list, more_first);
    str words = STR_INIT;
    for (size_t i = 0; i < n; i++)
        str_addf(&words, "%s%s:%lld", i > 0 ? " " : "", list[i].name, (long long)list[i].count);
    text_wrap(out, "  ops      ", str_text(&words), view->width);
    str_clear(&words);
    mem_free(list);
}

static void print_nodes(str *out, const report_view *view)
{
    const json_t *nodes = field_at(view->result, "nodes");
    table t = TABLE_INIT("rllll");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        str shape = STR_INIT;
        if (field_at(node, "shape"))
            text_shape(&shape, field_at(node, "shape"));
        table_cell(&t, "%zu", i);
        table_cell(&t, "%s", field_text(node, "op", "?"));
        table_cell(&t, "%s", field_text(node, "name", ""));
        table_cell(&t, "%s", str_text(&shape));
        table_cell(&t, "%s", field_text(node, "output", ""));
        str_clear(&shape);
    }
    table_print(&t, out, 2, view->limit);
}

void text_info(str *out, const report_view *view)
{
    print_file(out, view);
    print_ports(out, "input", view, "inputs");
    print_ports(out, "output", view, "outputs");
    print_sizes(out, view);
    print_ops(out, view);
    print_nodes(out, view);
    const json_t *quantizers = field_at(view->result, "quantizers");
    const json_t *kept = field_at(view->result, "kept");
    text_quantizers(out, quantizers, kept);
    text_kept(out, kept, view->width);
    const char *saved = field_text(view->result, "saved_config", NULL);
    if (saved)
        str_addf(out, "wrote %s\n", saved);
}

void text_machine(str *out, const report_view *view)
{
    const json_t *r = view->result;
    double threads = field_number(r, "threads");
    str_addf(out, "cpu      %s\n", field_text(r, "cpu", "unknown"));
    str_addf(out, "level    %s", field_text(r, "level", field_text(r, "isa", "?")));
    if (!isnan(threads))
        str_addf(out, ", %.0f threads", threads);
    str_add(out, "\n");
    const json_t *kernels = field_at(r, "kernels");
    table t = TABLE_INIT("ll");
    for (size_t i = 0; i < json_array_size(kernels); i++) {
        const json_t *k = json_array_get(kernels, i);
        table_cell(&t, "%s", field_text(k, "family", "?"));
        table_cell(&t, "%s", field_text(k, "kernel", field_text(k, "name", "?")));
    }
    if (t.n_cells > 0)
        str_add(out, "kernels\n");
    table_print(&t, out, 2, view->limit);
}

void text_run(str *out, const report_view *view)
{
    const json_t *outputs = field_at(view->result, "outputs");
    table t = TABLE_INIT("lll");
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *o = json_array_get(outputs, i);
        str shape = STR_INIT;
        text_shape(&shape, field_at(o, "shape"));
        table_cell(&t, "%s", field_text(o, "name", "?"));
        table_cell(&t, "%s", str_text(&shape));
        table_cell(&t, "%s", field_text(o, "file", ""));
        str_clear(&shape);
    }
    table_print(&t, out, 0, view->limit);
    double ms = field_median(view->result, "latency_ms");
    if (!isnan(ms))
        str_addf(out, "latency %.1f ms\n", ms);
}

void text_list(str *out, const report_view *view)
{
    double images = field_number(view->result, "images");
    if (!isnan(images))
        str_addf(out, "%.0f images\n", images);
    text_wrote(out, view);
}

void text_export(str *out, const report_view *view)
{
    text_wrote(out, view);
    double opset = field_number(view->result, "opset"), nodes = field_number(view->result, "nodes");
    if (!isnan(opset) && !isnan(nodes))
        str_addf(out, "opset %.0f, %.0f nodes\n", opset, nodes);
    text_next_step(out, view);
}
