/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizers as printing a PyTorch model shows them: modules in modules, and in a quantized one its
 * TensorQuantizers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/view.h"

/* One layer's entry of "quantizers", or of the list of those that stay float. */
typedef struct leaf {
    const char *name;
    const json_t *entry;
    bool is_float;
    size_t order; /* of the document */
} leaf;

/* ---------------------------------------------------------------- a quantizer's line */

static void print_range(str *out, double low, double high, double n)
{
    if (n > 1)
        str_addf(out, " amax=[%.4f, %.4f](%.0f)", low, high, n);
    else
        str_addf(out, " amax=%.4f", high);
}

/* A number, a list of them, or the largest and smallest of several. */
static void print_amax(str *out, const json_t *q)
{
    const json_t *amax = field_at(q, "amax");
    double low = INFINITY, high = -INFINITY;
    size_t n = json_array_size(amax);
    for (size_t i = 0; i < n; i++) {
        double value = json_number_value(json_array_get(amax, i));
        low = fmin(low, value);
        high = fmax(high, value);
    }
    if (n > 0)
        print_range(out, low, high, (double)n);
    else if (json_is_number(amax))
        print_range(out, field_number(q, "amax_lowest"), json_number_value(amax),
                    field_number(q, "n_scales"));
    else
        str_add(out, " amax=dynamic");
}

static void print_axis(str *out, const json_t *axis)
{
    size_t n = json_array_size(axis);
    if (json_is_number(axis))
        str_addf(out, " axis=%.0f", json_number_value(axis));
    else if (n == 0)
        str_add(out, " per-tensor");
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%s%.0f%s", i ? ", " : " axis=(", json_number_value(json_array_get(axis, i)),
                 i + 1 == n ? ")" : "");
}

/* As printing a TensorQuantizer: "8bit fake per-tensor amax=2.6400 calibrator=... quant". */
static void print_quantizer(str *out, const json_t *q)
{
    if (field_flag(q, "disabled", false)) {
        str_add(out, "disabled");
        return;
    }
    double bits = field_number(q, "num_bits"), factor = field_number(q, "scale_amax");
    str_addf(out, "%s%.0fbit", field_flag(q, "unsigned", false) ? "unsigned " : "",
             isnan(bits) ? 8 : bits);
    str_add(out, field_flag(q, "narrow_range", false) ? " narrow fake" : " fake");
    print_axis(out, field_at(q, "axis"));
    print_amax(out, q);
    if (!isnan(factor) && factor != 1)
        str_addf(out, " *%g", factor);
    if (!isnan(field_number(q, "zero_point")))
        str_addf(out, " zero=%.0f", field_number(q, "zero_point"));
    str_add(out, field_flag(q, "learn_amax", false) ? " learned" : "");
    const char *method = field_text(q, "calib_method", NULL);
    if (method)
        str_addf(out, " calibrator=%s",
                 strcmp(method, "max") == 0 ? "MaxCalibrator" : "HistogramCalibrator");
    str_add(out, field_flag(q, "if_quant", true) ? " quant" : "");
    str_add(out, field_flag(q, "if_clip", !field_flag(q, "if_quant", true)) ? " clip" : "");
}

/* ---------------------------------------------------------------- order and depth */

static size_t part_length(const char *name)
{
    return strcspn(name, ".");
}

/* "model.9" before "model.10": parts that are numbers compare as numbers. */
static int compare_names(const char *a, const char *b)
{
    while (*a && *b) {
        size_t n = part_length(a), m = part_length(b);
        bool numbers = strspn(a, "0123456789") == n && strspn(b, "0123456789") == m && n && m;
        int order = numbers && n != m ? (n < m ? -1 : 1) : strncmp(a, b, n < m ? n : m);
        if (order == 0 && n != m)
            order = n < m ? -1 : 1;
        if (order != 0)
            return order;
        a += n + (a[n] == '.');
        b += m + (b[m] == '.');
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int compare_leaves(const void *x, const void *y)
{
    const leaf *a = x, *b = y;
    int order = compare_names(a->name, b->name);
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

/* How many parts of two names are the same from the start. */
static int common_parts(const char *a, const char *b)
{
    int n = 0;
    while (*a && *b) {
        size_t length = part_length(a);
        if (length != part_length(b) || strncmp(a, b, length) != 0)
            break;
        n++;
        a += length + (a[length] == '.');
        b += length + (b[length] == '.');
    }
    return n;
}

static int count_parts(const char *name)
{
    int n = *name != '\0';
    for (; *name; name++)
        n += *name == '.';
    return n;
}

/* ---------------------------------------------------------------- the tree */

/* The class of torch.nn, and with "Quant" in front that of pytorch-quantization. */
static const char *module_of(const char *op)
{
    static const char *const names[][2] = {
        {"Conv", "Conv2d"},           {"ConvTranspose", "ConvTranspose2d"},
        {"Gemm", "Linear"},           {"MatMul", "Linear"},
        {"AveragePool", "AvgPool2d"}, {"GlobalAveragePool", "AdaptiveAvgPool2d"},
        {"MaxPool", "MaxPool2d"},     {"Resize", "Upsample"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], op) == 0)
            return names[i][1];
    return op;
}

static void indent(str *out, int depth)
{
    str_addf(out, "%*s", 2 * depth + 2, "");
}

static void print_role(str *out, const json_t *entry, const char *role, int depth)
{
    const json_t *q = field_at(entry, role);
    double input = field_number(entry, "input_index");
    if (!q)
        return;
    indent(out, depth);
    if (strcmp(role, "weight") == 0 || isnan(input))
        str_addf(out, "(_%s_quantizer): TensorQuantizer(", role);
    else if (input < 0)
        str_add(out, "(_output_quantizer): TensorQuantizer(");
    else
        str_addf(out, "(_input%.0f_quantizer): TensorQuantizer(", input);
    print_quantizer(out, q);
    str_add(out, ")\n");
}

/* Opens the modules between the `from`th part of a name and its last. */
static void open_modules(str *out, const char *name, int from, int parts)
{
    for (int i = 0; i < parts - 1; i++) {
        size_t n = part_length(name);
        if (i >= from) {
            indent(out, i);
            str_addf(out, "(%.*s): (\n", (int)n, name);
        }
        name += n + 1;
    }
}

static void close_modules(str *out, int from, int to)
{
    for (int i = from; i > to; i--) {
        indent(out, i - 1);
        str_add(out, ")\n");
    }
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* Prints leaf `i` and those of the same name; returns the number of modules left open. */
static int print_leaf(str *out, const leaf *leaves, size_t n, size_t i)
{
    const leaf *l = &leaves[i];
    int depth = count_parts(l->name) - 1;
    const char *op = field_text(l->entry, "op", "?");
    size_t end = i + 1;
    while (end < n && strcmp(leaves[end].name, l->name) == 0)
        end++;
    bool is_parent = end < n && common_parts(leaves[end].name, l->name) == depth + 1;
    indent(out, depth);
    str_addf(out, "(%s): %s%s(", last_part(l->name), l->is_float ? "" : "Quant", module_of(op));
    if (l->is_float && end == i + 1 && !is_parent) {
        str_add(out, ") # float\n");
        return depth;
    }
    str_add(out, "\n");
    for (; i < end; i++) {
        print_role(out, leaves[i].entry, "input", depth + 1);
        print_role(out, leaves[i].entry, "weight", depth + 1);
    }
    if (is_parent)
        return depth + 1;
    indent(out, depth);
    str_add(out, ")\n");
    return depth;
}

static void print_leaves(str *out, const leaf *leaves, size_t n)
{
    int open = 0;
    for (size_t i = 0; i < n; i++) {
        const char *before = i > 0 ? leaves[i - 1].name : "";
        if (strcmp(leaves[i].name, before) == 0)
            continue;
        int common = common_parts(before, leaves[i].name);
        int kept = common < open ? common : open;
        close_modules(out, open, kept);
        open_modules(out, leaves[i].name, kept, count_parts(leaves[i].name));
        open = print_leaf(out, leaves, n, i);
    }
    close_modules(out, open, 0);
}

void text_quantizers(str *out, const json_t *quantizers, const json_t *kept)
{
    size_t n_quantized = json_array_size(quantizers), n = n_quantized + json_array_size(kept);
    if (n == 0)
        return;
    leaf *leaves = mem_array(n, sizeof *leaves);
    if (!leaves) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool is_float = i >= n_quantized;
        const json_t *entry =
            json_array_get(is_float ? kept : quantizers, is_float ? i - n_quantized : i);
        leaves[i] = (leaf){field_text(entry, "layer", "?"), entry, is_float, i};
    }
    qsort(leaves, n, sizeof *leaves, compare_leaves);
    str_addf(out, "  quantizers of %zu layers\n", n_quantized);
    print_leaves(out, leaves, n);
    mem_free(leaves);
}
