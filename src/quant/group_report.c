/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/group_report.h"

#include <math.h>

#include "base/mem.h"
#include "quant/fake_quant.h"

/* ---------------------------------------------------------------- errors */

static double quantized(double x, double amax, int highest)
{
    double step = amax / highest;
    double code = amax <= (double)FAKE_QUANT_TINY ? 0 : rint(x / step);
    return fmin(code, highest) * step;
}

static double squared(double x)
{
    return x * x;
}

group_errors group_errors_of(const histogram *h, float own, float shared, int highest)
{
    group_errors sum = {0, 0, 0};
    double n = (double)h->n_values;
    for (int i = 0; n > 0 && i < histogram_used_bins(h); i++) {
        double share = (double)h->counts[i] / n;
        double x = ((double)histogram_edge(h, i) + (double)histogram_edge(h, i + 1)) / 2;
        double once = quantized(x, (double)own, highest);
        sum.own += share * squared(once - x);
        sum.shared += share * squared(quantized(x, (double)shared, highest) - x);
        sum.requantized += share * squared(quantized(once, (double)shared, highest) - x);
    }
    return sum;
}

/* ---------------------------------------------------------------- one group */

typedef struct group_row {
    const group_source *s;
    int group;
    const quant_point *leader;
    float amax;
    float smallest, largest;
    bool has_errors;
    group_errors sum; /* of the tensors' errors, times their values */
    double n_values;
    json_t *tensors;
} group_row;

static void put_errors(json_t *o, const group_errors *e, double divisor)
{
    bool is_known = e && divisor > 0;
    json_object_set_new(o, "error_own", is_known ? json_real(e->own / divisor) : json_null());
    json_object_set_new(o, "error_shared", is_known ? json_real(e->shared / divisor) : json_null());
    json_object_set_new(o, "error_requantized",
                        is_known ? json_real(e->requantized / divisor) : json_null());
}

static ptq_status add_tensor(group_row *r, const range_tensor *t, ptq_error *err)
{
    const descriptor *d = &r->leader->input_desc;
    float own = 0;
    PTQ_TRY(group_pooled_range(r->s, &t, 1, d, &own, err));
    json_t *o = json_pack("{s:s,s:f}", "name", t->name, "amax", (double)own);
    if (!o)
        return error_no_memory(err, 0, "the report");
    r->smallest = fminf(r->smallest, own);
    r->largest = fmaxf(r->largest, own);
    r->has_errors = r->has_errors && t->has_histogram;
    group_errors e = {0, 0, 0};
    if (t->has_histogram) {
        double n = (double)t->n_values;
        e = group_errors_of(&t->values, own, r->amax,
                            fake_quant_highest(d->num_bits, d->is_unsigned));
        r->sum.own += e.own * n;
        r->sum.shared += e.shared * n;
        r->sum.requantized += e.requantized * n;
        r->n_values += n;
    }
    put_errors(o, t->has_histogram ? &e : NULL, 1);
    json_array_append_new(r->tensors, o);
    return PTQ_OK;
}

static json_t *layers_of(const group_row *r)
{
    json_t *layers = json_array();
    for (int i = 0; i < r->s->points->n; i++)
        if (r->s->points->items[i].group == r->group)
            json_array_append_new(layers, json_string(r->s->points->items[i].layer));
    return layers;
}

static ptq_status fill_row(group_row *r, const range_tensor **tensors, int n, ptq_error *err)
{
    PTQ_TRY(group_leader(r->s->points, r->group, &r->leader, err));
    PTQ_TRY(group_range(r->s, r->group, &r->amax, err));
    r->tensors = json_array();
    for (int i = 0; i < n; i++)
        PTQ_TRY(add_tensor(r, tensors[i], err));
    return PTQ_OK;
}

/* Groups with one tensor share nothing; one with a fixed range may hold tensors that no image was
 * run for. */
static ptq_status add_group(const group_source *s, int group, const range_tensor **tensors,
                            json_t *list, ptq_error *err)
{
    int n = 0;
    if (group_tensors(s, group, tensors, &n, NULL) != PTQ_OK || n < 2)
        return PTQ_OK;
    group_row r = {.s = s, .group = group, .smallest = INFINITY, .has_errors = true};
    ptq_status st = fill_row(&r, tensors, n, err);
    if (st != PTQ_OK) {
        json_decref(r.tensors);
        return st;
    }
    json_t *o = json_pack("{s:i,s:f,s:o,s:o}", "group", group, "amax", (double)r.amax, "layers",
                          layers_of(&r), "tensors", r.tensors);
    if (!o)
        return error_no_memory(err, 0, "the report");
    json_object_set_new(o, "ratio",
                        r.smallest > 0 ? json_real((double)(r.largest / r.smallest)) : json_null());
    put_errors(o, r.has_errors ? &r.sum : NULL, r.n_values);
    json_array_append_new(list, o);
    return PTQ_OK;
}

ptq_status group_report(const group_source *s, json_t **out, ptq_error *err)
{
    size_t room = (size_t)s->points->n;
    const range_tensor **tensors = mem_array(room, sizeof *tensors);
    json_t *list = json_array();
    ptq_status st = tensors && list ? PTQ_OK : error_no_memory(err, room, "the report");
    for (int group = 0; group < s->points->n_groups && st == PTQ_OK; group++)
        st = add_group(s, group, tensors, list, err);
    mem_free(tensors);
    if (st == PTQ_OK)
        *out = list;
    else
        json_decref(list);
    return st;
}
