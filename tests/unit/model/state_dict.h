/* SPDX-License-Identifier: Apache-2.0 */
/* A bare state dict with everything that a config names, in values that are all 0.5 or drawn so
 * that activations keep their size from layer to layer. */
#ifndef STATE_DICT_H
#define STATE_DICT_H

#include <math.h>

#include "base/str.h"
#include "model/cfg_network.h"
#include "pt_edit.h"

typedef struct state_dict {
    str pkl;
    bool is_random; /* each tensor in a storage of its own; else all are the one of storage "0" */
    uint32_t seed;
    archive *a;
} state_dict;

static inline void state_dict_number(str *pkl, int64_t value)
{
    int32_t number = (int32_t)value;
    str_add(pkl, "J");
    str_add_n(pkl, (const char *)&number, 4);
}

static inline void state_dict_text(str *pkl, const char *text)
{
    int32_t length = (int32_t)strlen(text);
    str_add(pkl, "X");
    str_add_n(pkl, (const char *)&length, 4);
    str_add(pkl, text);
}

/* Adds a record of floats; returns its number, which is the storage's key. */
static inline int state_dict_storage(state_dict *d, const float *values, size_t n)
{
    archive *a = d->a;
    char name[32];
    int key = a->n - 1; /* behind data.pkl */
    a->records = mem_resize(a->records, (size_t)a->n + 1, sizeof *a->records);
    snprintf(name, sizeof name, "data/%d", key);
    a->records[a->n] = (record){.name = mem_strdup(name)};
    record_set(&a->records[a->n++], values, n * sizeof *values);
    return key;
}

/* He's initialization (sum of squares through SiLU and LeakyReLU about kept), normalizations that
 * change little. */
static inline int state_dict_draw(state_dict *d, const module_param *p)
{
    size_t n = 1, fan_in = 1;
    for (int i = 0; i < p->rank; i++) {
        n *= (size_t)p->dims[i];
        fan_in *= i > 0 ? (size_t)p->dims[i] : 1;
    }
    bool is_kernel = p->rank == 4 && strcmp(p->name, "weight") == 0;
    bool is_near_one = !is_kernel && (strcmp(p->name, "weight") == 0 || strstr(p->name, "_var"));
    float spread = is_kernel ? sqrtf(7.0f / (float)fan_in) : 0.1f;
    float *values = mem_array(n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        d->seed = d->seed * 1664525u + 1013904223u;
        values[i] = ((float)(d->seed >> 8) / 0x1p23f - 1) * spread + (is_near_one ? 1 : 0);
    }
    int key = state_dict_storage(d, values, n);
    mem_free(values);
    return key;
}

static inline void state_dict_entry(state_dict *d, const char *name, const module_param *p)
{
    str *pkl = &d->pkl;
    char key[16];
    int64_t stride = d->is_random ? 1 : 0, strides[4];
    snprintf(key, sizeof key, "%d", d->is_random ? state_dict_draw(d, p) : 0);
    for (int i = p->rank; i-- > 0; stride *= p->dims[i])
        strides[i] = stride;
    state_dict_text(pkl, name);
    str_add(pkl, "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n");
    state_dict_text(pkl, key);
    state_dict_text(pkl, "cpu");
    state_dict_number(pkl, d->is_random ? stride : 1); /* its elements */
    str_add(pkl, "tQ");
    state_dict_number(pkl, 0);
    str_add(pkl, "(");
    for (int i = 0; i < p->rank; i++)
        state_dict_number(pkl, p->dims[i]);
    str_add(pkl, "t(");
    for (int i = 0; i < p->rank; i++)
        state_dict_number(pkl, strides[i]);
    str_add(pkl, "t\x89}tRs");
}

static inline void state_dict_entries(state_dict *d, const module *m)
{
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    for (int i = 0; i < n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s.%s", m->path, params[i].name);
        state_dict_entry(d, name, &params[i]);
    }
    for (int i = 0; i < m->n_parts; i++)
        state_dict_entries(d, m->parts[i]);
}

/* Writes dir/state.pt for the config; *a is new. */
static inline void state_dict_write(const char *cfg, bool is_random, archive *a, const char *dir)
{
    ptq_error err;
    network *n;
    static const float half = 0.5f;
    state_dict d = {.pkl = STR_INIT, .is_random = is_random, .seed = 1, .a = a};
    assert_ok(cfg_read_network(cfg, &n, &err));
    a->n = 1;
    a->records = mem_array(1, sizeof *a->records);
    a->records[0].name = mem_strdup("data.pkl");
    if (!is_random)
        state_dict_storage(&d, &half, 1);
    str_add(&d.pkl, "\x80\x02}");
    state_dict_entries(&d, n->layers);
    str_add(&d.pkl, ".");
    network_destroy(n);
    record_set(&a->records[0], str_text(&d.pkl), d.pkl.len);
    archive_write(a, dir, "state.pt", "archive", false);
    str_clear(&d.pkl);
}

#endif
