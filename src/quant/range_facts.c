/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/range_facts.h"

#include <math.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/weight_range.h"

enum { SHOWN_BINS = 96 };

double range_sqnr_db(const histogram *h, float amax, int num_bits)
{
    double signal = 0, noise = 0, top = ldexp(1, num_bits - 1) - 1;
    int n = histogram_used_bins(h);
    for (int i = 0; i < n; i++) {
        if (h->counts[i] == 0)
            continue;
        double x = 0.5 * ((double)histogram_edge(h, i) + (double)histogram_edge(h, i + 1));
        double scale = (double)amax / top, code = scale > 0 ? fmin(rint(x / scale), top) : 0;
        double error = x - code * scale;
        signal += (double)h->counts[i] * x * x;
        noise += (double)h->counts[i] * error * error;
    }
    if (signal <= 0)
        return NAN;
    return noise > 0 ? fmin(10 * log10(signal / noise), 200) : 200;
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* Counts over equal parts of 0 ... the largest |x|. */
static json_t *histogram_json(const histogram *h)
{
    json_t *o = json_object(), *counts = json_array();
    double sums[SHOWN_BINS] = {0};
    int n = histogram_used_bins(h);
    double width = (double)histogram_edge(h, n) / SHOWN_BINS;
    for (int i = 0; i < n && width > 0; i++) {
        double x = 0.5 * ((double)histogram_edge(h, i) + (double)histogram_edge(h, i + 1));
        int bin = (int)(x / width);
        sums[bin < SHOWN_BINS ? bin : SHOWN_BINS - 1] += (double)h->counts[i];
    }
    for (int i = 0; i < SHOWN_BINS; i++)
        json_array_append_new(counts, json_integer((json_int_t)sums[i]));
    json_object_set_new(o, "max", number((double)histogram_edge(h, n)));
    json_object_set_new(o, "counts", counts);
    return o;
}

static void add_range(json_t *o, const range_tensor *t, int num_bits)
{
    json_t *amax = json_object(), *sqnr = json_object();
    for (int m = 0; m < AMAX_METHODS; m++) {
        const char *name = amax_method_name((amax_method)m);
        json_object_set_new(amax, name, number((double)t->amax[m]));
        if (t->has_histogram)
            json_object_set_new(sqnr, name,
                                number(range_sqnr_db(&t->values, t->amax[m], num_bits)));
    }
    json_object_set_new(o, "values", json_integer((json_int_t)t->n_values));
    json_object_set_new(o, "low", number((double)t->low));
    json_object_set_new(o, "high", number((double)t->high));
    json_object_set_new(o, "amax", amax);
    json_object_set_new(o, "sqnr_db", sqnr);
    if (t->has_histogram)
        json_object_set_new(o, "histogram", histogram_json(&t->values));
}

static void add_weight(json_t *o, const graph *g, const quant_point *p)
{
    const tensor *weight = graph_tensor_const(g, p->weight);
    size_t n = slices_count(&weight->shape, p->weight_axes);
    float *amax = mem_array(n, sizeof *amax);
    if (amax && weight_range(weight, &p->weight_desc, p->weight_axes, amax, NULL) == PTQ_OK) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, number((double)amax[i]));
        json_object_set_new(o, "weight_amax", list);
    }
    mem_free(amax);
}

static int group_size(const quant_points *points, int group)
{
    int n = 0;
    for (int i = 0; i < points->n; i++)
        n += group >= 0 && points->items[i].group == group;
    return n;
}

json_t *range_facts_write_json(const graph *g, const quant_points *points, const ranges *r)
{
    json_t *list = json_array();
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        if (p->is_extra)
            continue;
        json_t *o = json_object();
        const char *tensor_name = graph_tensor_const(g, p->tensor)->name;
        json_object_set_new(o, "name", json_string(p->layer));
        json_object_set_new(o, "op", json_string(graph_op_name(p->op)));
        json_object_set_new(o, "tensor", json_string(tensor_name));
        json_object_set_new(o, "group", json_integer(p->group));
        json_object_set_new(o, "group_size", json_integer(group_size(points, p->group)));
        json_object_set_new(o, "kept",
                            p->kept == QUANT_NOT_KEPT ? json_null()
                                                      : json_string(quant_kept_text(p->kept)));
        const range_tensor *t = ranges_find(r, tensor_name, p->layer);
        if (t)
            add_range(o, t, p->input_desc.num_bits);
        if (p->weight != TENSOR_NONE)
            add_weight(o, g, p);
        json_array_append_new(list, o);
    }
    return list;
}
