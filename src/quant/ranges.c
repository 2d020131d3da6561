/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/ranges.h"

#include <string.h>

#include "base/mem.h"

ptq_status ranges_create(int n, bool is_compat, ranges **out, ptq_error *err)
{
    ranges *r = mem_zalloc(sizeof *r);
    if (!r)
        return error_no_memory(err, sizeof *r, "ranges");
    r->items = mem_array((size_t)n, sizeof *r->items);
    if (!r->items) {
        mem_free(r);
        return error_no_memory(err, (size_t)n * sizeof *r->items, "ranges");
    }
    r->n = n;
    r->is_compat = is_compat;
    *out = r;
    return PTQ_OK;
}

void ranges_destroy(ranges *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++) {
        range_tensor *t = &r->items[i];
        mem_free(t->name);
        for (int k = 0; k < t->n_layers; k++)
            mem_free(t->layers[k]);
        mem_free(t->layers);
        histogram_clear(&t->values);
    }
    mem_free(r->items);
    mem_free(r->steps);
    mem_free(r);
}

ptq_status range_tensor_add_layer(range_tensor *t, const char *layer, ptq_error *err)
{
    char **layers = mem_resize(t->layers, (size_t)t->n_layers + 1, sizeof *layers);
    if (!layers)
        return error_no_memory(err, sizeof *layers, "ranges");
    t->layers = layers;
    layers[t->n_layers] = mem_strdup(layer);
    if (!layers[t->n_layers])
        return error_no_memory(err, strlen(layer), "ranges");
    t->n_layers++;
    return PTQ_OK;
}

static ptq_status solve_tensor(range_tensor *t, double percentile, ptq_error *err)
{
    amax_options o;
    amax_options_init(&o);
    o.percentile = percentile;
    t->n_values = t->values.n_values;
    t->low = t->values.low;
    t->high = t->values.high;
    for (int m = 0; m < AMAX_METHODS; m++) {
        ptq_status st = histogram_amax(&t->values, (amax_method)m, &o, &t->amax[m], err);
        if (st != PTQ_OK) {
            error_context(err, "tensor '%s'", t->name);
            return st;
        }
    }
    return PTQ_OK;
}

ptq_status ranges_solve(ranges *r, double percentile, int threads, ptq_error *err)
{
    ptq_status failed = PTQ_OK;
    r->percentile = percentile;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int i = 0; i < r->n; i++) {
        ptq_error own;
        ptq_status st = solve_tensor(&r->items[i], percentile, &own);
#pragma omp critical
        if (st != PTQ_OK && failed == PTQ_OK) {
            failed = st;
            if (err)
                *err = own;
        }
    }
    return failed;
}

static bool is_read_by(const range_tensor *t, const char *layer)
{
    for (int i = 0; i < t->n_layers; i++)
        if (strcmp(t->layers[i], layer) == 0)
            return true;
    return false;
}

const range_tensor *ranges_find(const ranges *r, const char *tensor, const char *layer)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->items[i].name, tensor) == 0)
            return &r->items[i];
    for (int i = 0; i < r->n; i++)
        if (is_read_by(&r->items[i], layer))
            return &r->items[i];
    return NULL;
}
