/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/head_probe.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* Equal outputs have no finite ratio: reported as this many dB. */
enum { MAX_DB = 200 };

/* One tensor of one run. */
typedef struct kept_values {
    float *values;
    size_t n_values;
    int first_image;
    int n_images;
} kept_values;

/* Sums of squares over all watched tensors of one image. */
typedef struct head_energy_pair {
    double signal;
    double noise;
} head_energy_pair;

struct head_probe {
    const char **names;
    int n_names;
    size_t max_bytes;
    size_t used_bytes;
    bool is_reference; /* the network that runs now is */
    bool has_begun;
    bool is_full;
    bool failed;
    kept_values *kept; /* per run, then per name */
    size_t n_runs;
    size_t kept_cap;
    size_t *runs_of; /* per name: taps seen since begin */
    float *scratch;
    size_t scratch_cap;
    head_energy_pair *energy; /* per image */
    int n_images;
    size_t energy_cap;
};

ptq_status head_probe_create(const graph *g, const quant_points *points, size_t max_bytes,
                             head_probe **out, ptq_error *err)
{
    size_t n = (size_t)points->n;
    head_probe *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "a probe");
    p->max_bytes = max_bytes;
    p->names = mem_array(n + 1, sizeof *p->names);
    p->runs_of = mem_array(n, sizeof *p->runs_of);
    if (!p->names || !p->runs_of) {
        head_probe_destroy(p);
        return error_no_memory(err, n * sizeof *p->names, "a probe");
    }
    for (size_t i = 0; i < n; i++) {
        const quant_point *point = &points->items[i];
        if (point->is_head)
            p->names[p->n_names++] =
                graph_tensor_const(g, graph_node_const(g, point->node)->outputs[0])->name;
    }
    *out = p;
    return PTQ_OK;
}

void head_probe_destroy(head_probe *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_runs * (size_t)p->n_names; i++)
        mem_free(p->kept[i].values);
    mem_free(p->kept);
    mem_free(p->names);
    mem_free(p->runs_of);
    mem_free(p->scratch);
    mem_free(p->energy);
    mem_free(p);
}

const char *const *head_probe_names(const head_probe *p)
{
    return p->names;
}

int head_probe_n_names(const head_probe *p)
{
    return p->n_names;
}

void head_probe_begin(head_probe *p)
{
    p->is_reference = !p->has_begun;
    p->has_begun = true;
    memset(p->runs_of, 0, (size_t)p->n_names * sizeof *p->runs_of);
    for (int i = 0; i < p->n_images; i++)
        p->energy[i] = (head_energy_pair){0, 0};
}

static int find_name(const head_probe *p, const char *name)
{
    for (int i = 0; i < p->n_names; i++)
        if (strcmp(p->names[i], name) == 0)
            return i;
    return -1;
}

static size_t count_values(const tap_view *v)
{
    size_t n;
    return shape_count(&v->shape, &n) ? n : 0;
}

/* ---------------------------------------------------------------- the reference */

/* Room for one more run and its images. */
static bool reserve_run(head_probe *p, int n_images)
{
    size_t want = (p->n_runs + 1) * (size_t)p->n_names;
    size_t images = (size_t)(p->n_images + n_images);
    kept_values *kept = mem_grow(p->kept, &p->kept_cap, want, sizeof *kept);
    if (!kept)
        return false;
    p->kept = kept;
    head_energy_pair *energy = mem_grow(p->energy, &p->energy_cap, images, sizeof *energy);
    if (!energy)
        return false;
    p->energy = energy;
    memset(kept + want - (size_t)p->n_names, 0, (size_t)p->n_names * sizeof *kept);
    memset(energy + p->n_images, 0, (size_t)n_images * sizeof *energy);
    p->n_runs++;
    p->n_images += n_images;
    return true;
}

/* A run is kept whole or not at all: the first tensor of a run decides. */
static void keep(head_probe *p, int name, size_t run, const tap_view *v)
{
    size_t n = count_values(v);
    int n_images = (int)v->shape.dim[0];
    if (run == p->n_runs) {
        p->is_full = p->is_full || p->used_bytes > p->max_bytes;
        if (p->is_full)
            return;
        if (!reserve_run(p, n_images)) {
            p->failed = p->is_full = true;
            return;
        }
    }
    if (run >= p->n_runs)
        return;
    kept_values *k = &p->kept[run * (size_t)p->n_names + (size_t)name];
    k->values = mem_alloc(n * sizeof *k->values);
    if (!k->values) {
        p->failed = true;
        return;
    }
    k->n_values = n;
    k->n_images = n_images;
    k->first_image = p->n_images - n_images;
    p->used_bytes += n * sizeof *k->values;
    tap_to_float(v, k->values);
}

/* ---------------------------------------------------------------- the others */

static void compare(head_probe *p, int name, size_t run, const tap_view *v)
{
    if (run >= p->n_runs)
        return;
    const kept_values *k = &p->kept[run * (size_t)p->n_names + (size_t)name];
    size_t n = count_values(v);
    float *scratch = mem_grow(p->scratch, &p->scratch_cap, n, sizeof *scratch);
    if (!scratch || n != k->n_values) {
        p->failed = true;
        return;
    }
    p->scratch = scratch;
    tap_to_float(v, scratch);
    size_t per_image = n / (size_t)k->n_images;
    for (int image = 0; image < k->n_images; image++) {
        const float *want = k->values + (size_t)image * per_image;
        const float *got = scratch + (size_t)image * per_image;
        double signal = 0;
        double noise = 0;
        for (size_t i = 0; i < per_image; i++) {
            double difference = (double)got[i] - (double)want[i];
            signal += (double)want[i] * (double)want[i];
            noise += difference * difference;
        }
        p->energy[k->first_image + image].signal += signal;
        p->energy[k->first_image + image].noise += noise;
    }
}

void head_probe_tap(void *user, const tap_view *view)
{
    head_probe *p = user;
    int name = find_name(p, view->name);
    if (name < 0 || p->failed)
        return;
    size_t run = p->runs_of[name]++;
    if (p->is_reference)
        keep(p, name, run, view);
    else
        compare(p, name, run, view);
}

ptq_status head_probe_status(const head_probe *p, ptq_error *err)
{
    if (p->failed)
        return error_no_memory(err, p->used_bytes, "the outputs to compare with");
    return PTQ_OK;
}

bool head_probe_is_done(const head_probe *p)
{
    if (p->is_reference)
        return p->is_full;
    for (int i = 0; i < p->n_names; i++)
        if (p->runs_of[i] < p->n_runs)
            return false;
    return true;
}

int head_probe_n_images(const head_probe *p)
{
    return p->n_images;
}

double head_probe_sqnr(const head_probe *p, const int *weights)
{
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < p->n_images; i++) {
        int weight = weights ? weights[i] : 1;
        signal += weight * p->energy[i].signal;
        noise += weight * p->energy[i].noise;
    }
    if (noise <= 0)
        return signal > 0 ? MAX_DB : 0;
    double db = 10 * log10(signal / noise);
    return db < MAX_DB ? db : MAX_DB;
}
