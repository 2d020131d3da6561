/* SPDX-License-Identifier: Apache-2.0 */
/* Tables about quantization: calibrate, quantize, compare, sensitivity. mAP is shown in points
 * (0.512 is 51.20). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/table.h"
#include "report/view.h"

enum { MAX_TENSORS = 40 };

static double in_points(double fraction)
{
    return 100 * fraction;
}

void text_calibrate(str *out, const report_view *view)
{
    const json_t *tensors = field_at(view->result, "tensors");
    table t = TABLE_INIT("lrrrrr");
    table_row(&t, (const char *[]){"tensor", "max", "percentile", "entropy", "mse", "values"});
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        table_cell(&t, "%s", field_text(tensor, "name", "?"));
        table_number(&t, 4, field_number(tensor, "amax.max"));
        table_number(&t, 4, field_number(tensor, "amax.percentile"));
        table_number(&t, 4, field_number(tensor, "amax.entropy"));
        table_number(&t, 4, field_number(tensor, "amax.mse"));
        table_number(&t, 0, field_number(tensor, "count"));
    }
    table_print(&t, out, 2, view->limit);
    str_addf(out, "%zu tensors", json_array_size(tensors));
    double images = field_number(view->result, "images");
    if (!isnan(images))
        str_addf(out, " from %.0f images", images);
    str_add(out, "\n");
    text_coverage(out, field_at(view->result, "coverage"));
    text_wrote(out, view);
    const char *cache = field_text(view->result, "trt_cache", NULL);
    if (cache)
        str_addf(out,
                 "wrote %s\nnext: trtexec --onnx=FILE --int8 --fp16 --calib=%s, with the float "
                 "file of 'ptq export' (not run here)\n",
                 cache, cache);
}

/* One line of the comparison; `base` is the line that change and speed-up refer to. */
static void add_model(table *t, const char *label, const json_t *model, const json_t *base)
{
    if (!model)
        return;
    double map = field_number(model, "map50_95"), base_map = field_number(base, "map50_95");
    double ms = field_median(model, "latency_ms"), base_ms = field_median(base, "latency_ms");
    table_cell(t, "%s", label);
    table_number(t, 2, in_points(map));
    table_number(t, 2, in_points(field_number(model, "map50")));
    if (model == base)
        table_cell(t, "-");
    else
        table_signed(t, 2, in_points(map - base_map));
    table_number(t, 4, field_number(model, "fidelity"));
    table_number(t, 2, ms);
    if (model == base || isnan(base_ms / ms))
        table_cell(t, "-");
    else
        table_cell(t, "%.2fx", base_ms / ms);
    table_number(t, 1, field_number(model, "mib"));
}

static void add_header(table *t)
{
    table_row(t, (const char *[]){"", "mAP@.5:.95", "mAP@.5", "change", "fidelity", "latency ms",
                                  "speed-up", "size MiB"});
}

static const char *reason_at(const json_t *kept, size_t i)
{
    return field_text(json_array_get(kept, i), "reason", "");
}

static const char *layer_at(const json_t *kept, size_t i)
{
    const json_t *item = json_array_get(kept, i);
    return json_is_string(item) ? json_string_value(item)
                                : field_text(item, "name", field_text(item, "layer", "?"));
}

static bool is_earlier_reason(const json_t *kept, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(reason_at(kept, k), reason_at(kept, i)) == 0)
            return true;
    return false;
}

void text_kept(str *out, const json_t *kept, int width)
{
    for (size_t i = 0; i < json_array_size(kept); i++) {
        const char *reason = reason_at(kept, i);
        str words = STR_INIT;
        if (is_earlier_reason(kept, i))
            continue;
        for (size_t k = i; k < json_array_size(kept); k++)
            if (strcmp(reason_at(kept, k), reason) == 0)
                str_addf(&words, "%s%s", k > i ? " " : "", layer_at(kept, k));
        str_addf(&words, "%s%s", *reason ? " - " : "", reason);
        text_wrap(out, "kept: ", str_text(&words), width);
        str_clear(&words);
    }
}

static void print_kept(str *out, const report_view *view)
{
    const json_t *kept = field_at(view->result, "kept_layers");
    double quantized = field_number(view->result, "quantized_layers");
    if (!isnan(quantized))
        str_addf(out, "%.0f layers quantized, %zu kept in 16 bit\n", quantized,
                 json_array_size(kept));
    text_kept(out, kept, view->width);
}

/* ---------------------------------------------------------------- shared and learned ranges */

enum { MAX_GROUPS = 5 };

static int by_ratio(const void *a, const void *b)
{
    double x = field_number(*(const json_t *const *)a, "ratio");
    double y = field_number(*(const json_t *const *)b, "ratio");
    return x > y ? -1 : x < y ? 1 : 0;
}

static void add_group(table *t, const json_t *group)
{
    const json_t *layers = field_at(group, "layers");
    size_t n = json_array_size(layers);
    const char *first = json_string_value(json_array_get(layers, 0));
    if (n > 1)
        table_cell(t, "%s and %zu more", first ? first : "?", n - 1);
    else
        table_cell(t, "%s", first ? first : "?");
    table_number(t, 4, field_number(group, "amax"));
    table_number(t, 2, field_number(group, "ratio"));
    static const char *const errors[] = {"error_own", "error_shared", "error_requantized"};
    for (int i = 0; i < 3; i++) {
        double error = field_number(group, errors[i]);
        if (isnan(error))
            table_cell(t, "-");
        else
            table_cell(t, "%.2e", error);
    }
}

/* The groups whose ranges differ most: where sharing can cost. */
static void print_groups(str *out, const report_view *view)
{
    const json_t *groups = field_at(view->result, "groups");
    size_t n = json_array_size(groups);
    const json_t **list = mem_array(n, sizeof *list);
    if (n == 0 || !list) {
        mem_free(list);
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(groups, i);
    qsort(list, n, sizeof *list, by_ratio);
    table t = TABLE_INIT("lrrrrr");
    table_row(&t, (const char *[]){"shared scale", "amax", "ratio", "error own", "shared",
                                   "requantized"});
    for (size_t i = 0; i < n && i < MAX_GROUPS; i++)
        add_group(&t, list[i]);
    table_print(&t, out, 2, view->limit);
    if (n > MAX_GROUPS)
        str_addf(out, "  ... %zu more groups, of smaller ratio: --json\n", n - MAX_GROUPS);
    mem_free(list);
}

static void print_learned(str *out, const json_t *learned)
{
    for (size_t i = 0; i < json_array_size(learned); i++) {
        const json_t *u = json_array_get(learned, i);
        str names = STR_INIT;
        text_names(&names, field_at(u, "layers"));
        str_addf(out, "learned %s range of %s: %.4f, output error %.2e (calibrated: %.4f, %.2e)\n",
                 field_text(u, "role", "input"), str_text(&names), field_number(u, "amax"),
                 field_number(u, "error"), field_number(u, "calibrated_amax"),
                 field_number(u, "calibrated_error"));
        str_clear(&names);
    }
}

/* How sure the change of INT8 is. */
static void print_interval(str *out, const json_t *int8)
{
    double low = field_number(int8, "change_low"), high = field_number(int8, "change_high");
    if (!isnan(low) && !isnan(high))
        str_addf(out, "INT8 changes mAP by %+.2f to %+.2f points (95 %%, paired bootstrap)\n",
                 in_points(low), in_points(high));
}

/* What --max-drop asked for, and whether it is met. */
static void print_gate(str *out, const json_t *verdict)
{
    double drop = field_number(verdict, "drop"), allowed = field_number(verdict, "max_drop");
    if (isnan(drop) || isnan(allowed))
        return;
    bool is_met = field_flag(verdict, "pass", false);
    str_addf(out, "gate %s: mAP fell by %.2f points, %.2f are allowed\n",
             is_met ? "met" : "not met", in_points(drop), in_points(allowed));
}

void text_quantize(str *out, const report_view *view)
{
    const json_t *r = view->result;
    const json_t *base = field_at(r, "fp32");
    if (base) {
        table t = TABLE_INIT("lrrrrrrr");
        add_header(&t);
        add_model(&t, "FP32", base, base);
        add_model(&t, "16-bit (bf16)", field_at(r, "bf16"), base);
        add_model(&t, "16-bit (fp16, simulated)", field_at(r, "fp16"), base);
        add_model(&t, "INT8", field_at(r, "int8"), base);
        add_model(&t, "simulated", field_at(r, "simulated"), base);
        table_print(&t, out, 2, view->limit);
    }
    print_interval(out, field_at(r, "int8"));
    print_kept(out, view);
    print_groups(out, view);
    print_learned(out, field_at(r, "learned"));
    text_causes(out, view);
    text_coverage(out, field_at(r, "coverage"));
    const char *protocol = field_text(r, "protocol", NULL);
    if (protocol)
        str_addf(out, "protocol: %s\n", protocol);
    print_gate(out, field_at(r, "verdict"));
    text_wrote(out, view);
    const char *saved = field_text(r, "saved_config", NULL);
    if (saved)
        str_addf(out, "wrote %s\n", saved);
    const char *report = field_text(r, "report", NULL);
    if (report)
        str_addf(out, "wrote %s/index.html and report.json\n", report);
    text_next_step(out, view);
}

static void print_differences(str *out, const report_view *view)
{
    const json_t *tensors = field_at(view->result, "tensors");
    size_t n = json_array_size(tensors);
    table t = TABLE_INIT("lrrrr");
    table_row(&t, (const char *[]){"tensor", "max abs", "mean abs", "cosine", "SQNR dB"});
    for (size_t i = 0; i < n && i < MAX_TENSORS; i++) {
        const json_t *tensor = json_array_get(tensors, i);
        table_cell(&t, "%s", field_text(tensor, "name", "?"));
        table_number(&t, 4, field_number(tensor, "max_abs"));
        table_number(&t, 5, field_number(tensor, "mean_abs"));
        table_number(&t, 5, field_number(tensor, "cosine"));
        table_number(&t, 1, field_number(tensor, "sqnr_db"));
    }
    if (n > 0)
        table_print(&t, out, 2, view->limit);
    else
        str_clear(&t.cells);
    if (n > MAX_TENSORS)
        str_addf(out, "  ... %zu more tensors: --json\n", n - MAX_TENSORS);
}

void text_compare(str *out, const report_view *view)
{
    print_differences(out, view);
    const json_t *models = field_at(view->result, "models");
    const json_t *base = json_array_get(models, 0);
    table t = TABLE_INIT("lrrrrrrr");
    add_header(&t);
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        add_model(&t, field_text(model, "path", "?"), model, base);
    }
    if (isnan(field_number(base, "map50_95")) && isnan(field_median(base, "latency_ms")))
        str_clear(&t.cells);
    else
        table_print(&t, out, 2, view->limit);
    const char *protocol = field_text(view->result, "protocol", NULL);
    if (protocol)
        str_addf(out, "protocol: %s\n", protocol);
    const char *folder = field_text(view->result, "output", NULL);
    if (folder)
        str_addf(out, "pictures: %zu in %s, the first model on the left\n",
                 json_array_size(field_at(view->result, "images")), folder);
}

static void print_baseline(str *out, const json_t *result)
{
    const json_t *baseline = field_at(result, "baseline");
    double value = json_is_object(baseline) ? field_number(baseline, "map50_95")
                                            : field_number(result, "baseline");
    if (!isnan(value))
        str_addf(out, "all layers float: %.4f\n", value);
}

/* How many images would tell the ties apart. */
static void print_ties(str *out, const json_t *layers, size_t n_ties)
{
    size_t within[3] = {0, 0, 0};
    static const double steps[3] = {1000, 10000, 100000};
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        double needed = field_number(layer, "images_needed");
        for (int k = 0; k < 3; k++)
            within[k] += !json_is_true(field_at(layer, "clear")) && needed <= steps[k];
    }
    str_addf(out,
             "%zu layers cannot be told apart at the cut-off with these images (tie); of them "
             "%zu would be with 1000, %zu with 10000, %zu with 100000 images\n",
             n_ties, within[0], within[1], within[2]);
}

void text_sensitivity(str *out, const report_view *view)
{
    const json_t *layers = field_at(view->result, "layers");
    size_t n = json_array_size(layers);
    size_t top = json_array_size(field_at(view->result, "top"));
    if (top == 0 || top > n)
        top = n;
    print_baseline(out, view->result);
    table t = TABLE_INIT("rllrrrrrrl");
    table_row(&t, (const char *[]){"", "layer", "op", "drop", "score", "low", "high", "SQNR dB",
                                   "images", ""});
    size_t n_ties = 0;
    for (size_t i = 0; i < n; i++)
        n_ties += !json_is_true(field_at(json_array_get(layers, i), "clear"));
    for (size_t i = 0; i < top; i++) {
        const json_t *layer = json_array_get(layers, i);
        table_cell(&t, "%zu", i + 1);
        table_cell(&t, "%s", field_text(layer, "name", "?"));
        table_cell(&t, "%s", field_text(layer, "op", ""));
        table_signed(&t, 4, field_number(layer, "drop"));
        table_number(&t, 4, field_number(layer, "score"));
        table_number(&t, 4, field_number(layer, "low"));
        table_number(&t, 4, field_number(layer, "high"));
        table_number(&t, 1, field_number(layer, "sqnr_db"));
        table_number(&t, 0, field_number(layer, "evaluations"));
        table_cell(&t, json_is_true(field_at(layer, "clear")) ? "" : "tie");
    }
    table_print(&t, out, 2, view->limit);
    if (n > top)
        str_addf(out, "  ... %zu more layers: --json\n", n - top);
    if (n_ties > 0)
        print_ties(out, layers, n_ties);
    text_causes(out, view);
    double ms = field_number(view->result, "elapsed_ms");
    if (!isnan(ms))
        str_addf(out, "%zu layers ranked in %.1f s\n", n, ms / 1000);
}
