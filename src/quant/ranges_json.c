/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges as JSON. A file may come from anywhere: every number is checked before it is used. */
#include <float.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "quant/ranges.h"

enum { MAX_FILE_BYTES = 1 << 30, MAX_TENSORS = 1 << 20 };

/* ---------------------------------------------------------------- writing */

/* {exponent | edges, counts}; counts end with the last bin in use. */
static json_t *write_histogram(const histogram *h)
{
    json_t *counts = json_array();
    int n = histogram_used_bins(h);
    for (int i = 0; i < n; i++)
        json_array_append_new(counts, json_integer((json_int_t)h->counts[i]));
    json_t *o = json_pack("{s:o}", "counts", counts);
    if (!h->is_compat) {
        json_object_set_new(o, "exponent", json_integer(h->exponent));
        return o;
    }
    json_t *edges = json_array();
    for (int i = 0; i <= n && n > 0; i++)
        json_array_append_new(edges, json_real((double)h->edges[i]));
    json_object_set_new(o, "edges", edges);
    return o;
}

static json_t *write_tensor(const range_tensor *t, bool with_histogram)
{
    json_t *layers = json_array();
    for (int i = 0; i < t->n_layers; i++)
        json_array_append_new(layers, json_string(t->layers[i]));
    json_t *amax = json_object();
    for (int m = 0; m < AMAX_METHODS; m++)
        json_object_set_new(amax, amax_method_name((amax_method)m), json_real((double)t->amax[m]));
    json_t *o = json_pack("{s:s,s:o,s:f,s:f,s:o,s:I}", "name", t->name, "layers", layers, "low",
                          (double)t->low, "high", (double)t->high, "amax", amax, "count",
                          (json_int_t)t->n_values);
    if (with_histogram && t->has_histogram)
        json_object_set_new(o, "histogram", write_histogram(&t->values));
    return o;
}

json_t *ranges_write_json(const ranges *r, bool with_histograms)
{
    json_t *tensors = json_array();
    for (int i = 0; i < r->n; i++)
        json_array_append_new(tensors, write_tensor(&r->items[i], with_histograms));
    return json_pack("{s:i,s:i,s:b,s:f,s:o}", "images", r->n_images, "image_size", r->image_size,
                     "compat", r->is_compat, "percentile", r->percentile, "tensors", tensors);
}

/* ---------------------------------------------------------------- reading */

static ptq_status bad(ptq_error *err, const char *what)
{
    return error_set(err, PTQ_FORMAT, "%s", what);
}

static bool read_float(const json_t *v, float *out)
{
    if (!json_is_number(v))
        return false;
    double x = json_number_value(v);
    if (!(x >= 0 && x <= (double)FLT_MAX))
        return false;
    *out = (float)x;
    return true;
}

static bool read_counts(const json_t *list, uint64_t *counts)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return false;
        counts[i] = (uint64_t)json_integer_value(v);
    }
    return true;
}

static ptq_status read_exact(const json_t *o, histogram *h, ptq_error *err)
{
    const json_t *counts = json_object_get(o, "counts");
    const json_t *exponent = json_object_get(o, "exponent");
    if (json_array_size(counts) > HISTOGRAM_EXACT_BINS || !read_counts(counts, h->counts))
        return bad(err, "'counts' must be a list of at most 8192 integers");
    json_int_t e = json_integer_value(exponent);
    if (!json_is_integer(exponent) || e < -126 || e > 115)
        return bad(err, "'exponent' must be an integer from -126 to 115");
    h->exponent = (int)e;
    if (!(histogram_edge(h, HISTOGRAM_EXACT_BINS) > h->max))
        return bad(err, "'low' and 'high' do not fit the bins");
    return PTQ_OK;
}

static ptq_status read_compat(const json_t *o, histogram *h, ptq_error *err)
{
    const json_t *counts = json_object_get(o, "counts");
    const json_t *edges = json_object_get(o, "edges");
    size_t n = json_array_size(counts);
    if (n == 0)
        return h->max == 0 ? PTQ_OK : bad(err, "'counts' is empty");
    if (n > HISTOGRAM_MAX_BINS || json_array_size(edges) != n + 1)
        return bad(err, "'edges' must have one number more than 'counts'");
    h->counts = mem_array(n, sizeof *h->counts);
    h->edges = mem_array(n + 1, sizeof *h->edges);
    if (!h->counts || !h->edges)
        return error_no_memory(err, n * sizeof *h->counts, "a histogram");
    h->n_bins = (int)n;
    if (!read_counts(counts, h->counts))
        return bad(err, "'counts' must be a list of integers");
    for (size_t i = 0; i <= n; i++) {
        bool ok = read_float(json_array_get(edges, i), &h->edges[i]);
        if (!ok || (i > 0 && !(h->edges[i] > h->edges[i - 1])))
            return bad(err, "'edges' must be ascending numbers from 0");
    }
    return PTQ_OK;
}

static ptq_status read_histogram(const json_t *o, range_tensor *t, bool is_compat, ptq_error *err)
{
    histogram *h = &t->values;
    PTQ_TRY(histogram_init(h, is_compat, err));
    if (!json_is_array(json_object_get(o, "counts")))
        return bad(err, "'counts' is missing");
    h->low = t->low;
    h->high = t->high;
    h->max = -h->low > h->high ? -h->low : h->high;
    h->n_values = t->n_values;
    PTQ_TRY(is_compat ? read_compat(o, h, err) : read_exact(o, h, err));
    uint64_t sum = 0;
    for (int i = 0; i < h->n_bins; i++)
        if (__builtin_add_overflow(sum, h->counts[i], &sum))
            return bad(err, "'counts' add up to more than 64 bits");
    if (h->n_bins > 0 && sum != t->n_values)
        return bad(err, "'counts' do not add up to 'count'");
    t->has_histogram = true;
    return PTQ_OK;
}

static ptq_status read_layers(const json_t *list, range_tensor *t, ptq_error *err)
{
    if (!json_is_array(list))
        return bad(err, "'layers' must be a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *layer = json_string_value(json_array_get(list, i));
        if (!layer)
            return bad(err, "'layers' must be a list of names");
        PTQ_TRY(range_tensor_add_layer(t, layer, err));
    }
    return PTQ_OK;
}

/* A file made by hand may leave them out. */
static ptq_status read_ends(const json_t *o, range_tensor *t, ptq_error *err)
{
    const json_t *low = json_object_get(o, "low"), *high = json_object_get(o, "high");
    t->high = t->amax[AMAX_MAX];
    t->low = -t->high;
    if (!low && !high)
        return PTQ_OK;
    double x = json_number_value(low);
    if (!json_is_number(low) || !(x <= 0 && x >= -(double)FLT_MAX))
        return bad(err, "'low' must be a number up to 0");
    t->low = (float)x;
    return read_float(high, &t->high) ? PTQ_OK : bad(err, "'high' must be a number from 0");
}

static ptq_status read_tensor(const json_t *o, range_tensor *t, bool is_compat, ptq_error *err)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    const json_t *count = json_object_get(o, "count");
    if (!name)
        return bad(err, "'name' is missing");
    t->name = mem_strdup(name);
    if (!t->name)
        return error_no_memory(err, strlen(name), "ranges");
    PTQ_TRY(read_layers(json_object_get(o, "layers"), t, err));
    if (!json_is_integer(count) || json_integer_value(count) < 1)
        return bad(err, "'count' must be an integer from 1");
    t->n_values = (uint64_t)json_integer_value(count);
    for (int m = 0; m < AMAX_METHODS; m++) {
        const char *method = amax_method_name((amax_method)m);
        if (!read_float(json_object_get(json_object_get(o, "amax"), method), &t->amax[m]))
            return error_set(err, PTQ_FORMAT, "'amax.%s' must be a number from 0", method);
    }
    PTQ_TRY(read_ends(o, t, err));
    const json_t *h = json_object_get(o, "histogram");
    return h ? read_histogram(h, t, is_compat, err) : PTQ_OK;
}

static ptq_status read_document(const json_t *doc, ranges **out, ptq_error *err)
{
    const json_t *o = json_object_get(doc, "result");
    if (!o)
        o = doc;
    const json_t *tensors = json_object_get(o, "tensors");
    size_t n = json_array_size(tensors);
    if (!json_is_array(tensors) || n > MAX_TENSORS)
        return bad(err, "no list 'tensors': not written by 'ptq calibrate'");
    ranges *r;
    PTQ_TRY(ranges_create((int)n, json_is_true(json_object_get(o, "compat")), &r, err));
    json_int_t images = json_integer_value(json_object_get(o, "images"));
    json_int_t size = json_integer_value(json_object_get(o, "image_size"));
    r->n_images = images > 0 && images <= INT32_MAX ? (int)images : 0;
    r->image_size = size > 0 && size <= INT32_MAX ? (int)size : 0;
    const json_t *percentile = json_object_get(o, "percentile");
    r->percentile = percentile ? json_number_value(percentile) : 99.99;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(tensors, i);
        ptq_status st = read_tensor(item, &r->items[i], r->is_compat, err);
        if (st != PTQ_OK) {
            error_context(err, "tensors[%zu]", i);
            ranges_destroy(r);
            return st;
        }
    }
    *out = r;
    return PTQ_OK;
}

ptq_status ranges_read(const char *path, ranges **out, ptq_error *err)
{
    char *text;
    size_t size;
    PTQ_TRY(file_read(path, MAX_FILE_BYTES, &text, &size, err));
    json_error_t json_error;
    json_t *doc = json_loadb(text, size, 0, &json_error);
    mem_free(text);
    if (!doc)
        return error_set(err, PTQ_FORMAT, "cannot read ranges from '%s': line %d: %s", path,
                         json_error.line, json_error.text);
    ptq_status st = read_document(doc, out, err);
    if (st != PTQ_OK)
        error_context(err, "cannot read ranges from '%s'", path);
    json_decref(doc);
    return st;
}
