/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pt_state.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strmap.h"
#include "model/pt_convert.h"

enum { MAX_ENTRIES = 1 << 20, MAX_DEPTH = 64, MAX_NAME_BYTES = 64 << 20 };

struct pt_state {
    pt_file *file;
    arena *arena; /* names */
    strmap *index;
    pt_entry *entries;
    int n_entries;
    int cap_entries;
};

static ptq_status add_entry(pt_state *s, const char *name, const pickle_tensor *t, ptq_error *err)
{
    if (s->n_entries == MAX_ENTRIES)
        return error_set(err, PTQ_LIMIT, "it has more than %d tensors", MAX_ENTRIES);
    if (s->n_entries == s->cap_entries) {
        int cap = s->cap_entries ? 2 * s->cap_entries : 1024;
        pt_entry *entries = mem_resize(s->entries, (size_t)cap, sizeof *entries);
        if (!entries)
            return error_no_memory(err, (size_t)cap * sizeof *entries, "a state dict");
        s->entries = entries;
        s->cap_entries = cap;
    }
    s->entries[s->n_entries++] = (pt_entry){name, t, false};
    return PTQ_OK;
}

static ptq_status add_named(pt_state *s, const char *prefix, const pickle_pair *p, ptq_error *err)
{
    const char *key = pickle_str(p->key);
    if (!key || p->value->kind != PICKLE_TENSOR)
        return PTQ_OK;
    const char *name = arena_printf(s->arena, "%s%s", prefix, key);
    if (!name)
        return error_no_memory(err, strlen(key), "a name");
    return add_entry(s, name, p->value->as.tensor, err);
}

static bool is_persistent(const pickle_value *module, const char *key)
{
    size_t n;
    pickle_value *const *names =
        pickle_items(pickle_attr(module, "_non_persistent_buffers_set"), &n);
    for (size_t i = 0; i < n; i++)
        if (pickle_str(names[i]) && strcmp(pickle_str(names[i]), key) == 0)
            return false;
    return true;
}

static ptq_status add_module(pt_state *s, const pickle_value *module, const char *prefix, int depth,
                             ptq_error *err)
{
    if (depth > MAX_DEPTH)
        return error_set(err, PTQ_LIMIT, "module '%.80s' is nested too deeply", prefix);
    const pickle_value *dict = pickle_attr(module, "_parameters");
    for (size_t i = 0; dict && dict->kind == PICKLE_DICT && i < dict->as.dict.n; i++)
        PTQ_TRY(add_named(s, prefix, &dict->as.dict.pairs[i], err));
    dict = pickle_attr(module, "_buffers");
    for (size_t i = 0; dict && dict->kind == PICKLE_DICT && i < dict->as.dict.n; i++) {
        const char *key = pickle_str(dict->as.dict.pairs[i].key);
        if (key && is_persistent(module, key))
            PTQ_TRY(add_named(s, prefix, &dict->as.dict.pairs[i], err));
    }
    dict = pickle_attr(module, "_modules");
    for (size_t i = 0; dict && dict->kind == PICKLE_DICT && i < dict->as.dict.n; i++) {
        const pickle_pair *p = &dict->as.dict.pairs[i];
        const char *key = pickle_str(p->key);
        if (!key || p->value->kind != PICKLE_OBJECT)
            continue;
        const char *inner = arena_printf(s->arena, "%s%s.", prefix, key);
        if (!inner)
            return error_no_memory(err, strlen(key), "a name");
        PTQ_TRY(add_module(s, p->value, inner, depth + 1, err));
    }
    return PTQ_OK;
}

static void strip_prefix(pt_state *s)
{
    static const char prefix[] = "module.";
    for (int i = 0; i < s->n_entries; i++)
        if (!str_starts_with(s->entries[i].name, prefix))
            return;
    for (int i = 0; i < s->n_entries; i++)
        s->entries[i].name += sizeof prefix - 1;
}

static ptq_status fill(pt_state *s, const pickle_value *source, ptq_error *err)
{
    if (source->kind == PICKLE_OBJECT)
        PTQ_TRY(add_module(s, source, "", 0, err));
    for (size_t i = 0; source->kind == PICKLE_DICT && i < source->as.dict.n; i++)
        PTQ_TRY(add_named(s, "", &source->as.dict.pairs[i], err));
    strip_prefix(s);
    for (int i = 0; i < s->n_entries; i++)
        if (!strmap_put(s->index, s->entries[i].name, i))
            return error_no_memory(err, strlen(s->entries[i].name), "a name");
    return PTQ_OK;
}

ptq_status pt_state_create(pt_file *f, const pickle_value *source, pt_state **out, ptq_error *err)
{
    pt_state *s = mem_zalloc(sizeof *s);
    if (!s)
        return error_no_memory(err, sizeof *s, "a state dict");
    s->file = f;
    s->arena = arena_create(MAX_NAME_BYTES);
    s->index = strmap_create();
    ptq_status status = s->arena && s->index ? fill(s, source, err)
                                             : error_no_memory(err, sizeof *s, "a state dict");
    if (status == PTQ_OK)
        *out = s;
    else
        pt_state_destroy(s);
    return status;
}

void pt_state_destroy(pt_state *s)
{
    if (!s)
        return;
    strmap_destroy(s->index);
    arena_destroy(s->arena);
    mem_free(s->entries);
    mem_free(s);
}

int pt_state_n_entries(const pt_state *s)
{
    return s->n_entries;
}

pt_entry *pt_state_entry(pt_state *s, int i)
{
    return &s->entries[i];
}

pt_entry *pt_state_find(pt_state *s, const char *name)
{
    int64_t i;
    return strmap_get(s->index, name, &i) ? &s->entries[i] : NULL;
}

ptq_status pt_state_read(pt_state *s, const pt_entry *e, float *values, ptq_error *err)
{
    ptq_status status = pt_file_read_tensor(s->file, e->tensor, values, err);
    if (status != PTQ_OK) {
        error_context(err, "tensor '%s'", e->name);
        return status;
    }
    if (!pt_all_finite(values, (size_t)e->tensor->n_elements))
        return error_set(err, PTQ_FORMAT,
                         "tensor '%s' holds NaN or infinity; the training that made it diverged, "
                         "take an earlier checkpoint",
                         e->name);
    return PTQ_OK;
}

bool pt_is_state_dict(const pickle_value *v)
{
    for (size_t i = 0; v && v->kind == PICKLE_DICT && i < v->as.dict.n; i++)
        if (v->as.dict.pairs[i].value->kind == PICKLE_TENSOR)
            return true;
    return false;
}
