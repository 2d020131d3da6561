/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a pickle: making them, and asking them. */
#include <stdio.h>
#include <string.h>

#include "formats/pickle_machine.h"

ptq_status pickle_new(pickle_machine *m, pickle_kind kind, pickle_value **out)
{
    pickle_value *v = arena_alloc(m->arena, 1, sizeof *v);
    if (!v)
        return pickle_no_memory(m);
    v->kind = kind;
    *out = v;
    return PTQ_OK;
}

ptq_status pickle_new_text(pickle_machine *m, pickle_kind kind, const void *data, size_t size,
                           pickle_value **out)
{
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, kind, &v));
    v->as.text.data = arena_strndup(m->arena, data, size);
    v->as.text.size = size;
    if (!v->as.text.data)
        return pickle_no_memory(m);
    *out = v;
    return PTQ_OK;
}

static ptq_status deepen(pickle_machine *m, pickle_value *parent, const pickle_value *child)
{
    if (child->depth < parent->depth)
        return PTQ_OK;
    parent->depth = child->depth + 1;
    if (parent->depth > m->max_depth)
        return pickle_fail(m, PTQ_LIMIT, "values are nested more than %d levels deep",
                           m->max_depth);
    return PTQ_OK;
}

ptq_status pickle_new_list(pickle_machine *m, pickle_kind kind, pickle_value *const *items,
                           size_t n, pickle_value **out)
{
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, kind, &v));
    if (n > 0) {
        v->as.list.items = arena_alloc(m->arena, n, sizeof(pickle_value *));
        if (!v->as.list.items)
            return pickle_no_memory(m);
        memcpy(v->as.list.items, items, n * sizeof(pickle_value *));
        v->as.list.n = v->as.list.cap = n;
        for (size_t i = 0; i < n; i++)
            PTQ_TRY(deepen(m, v, items[i]));
    }
    *out = v;
    return PTQ_OK;
}

/* Room for one more of `n` entries; the outgrown array stays in the arena. */
static void *grow(pickle_machine *m, void *entries, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return entries;
    size_t more = *cap ? 2 * *cap : 4;
    void *grown = arena_alloc(m->arena, more, size);
    if (!grown)
        return NULL;
    if (n > 0)
        memcpy(grown, entries, n * size);
    *cap = more;
    return grown;
}

ptq_status pickle_append(pickle_machine *m, pickle_value *list, pickle_value *item)
{
    pickle_value **items =
        grow(m, list->as.list.items, list->as.list.n, &list->as.list.cap, sizeof(pickle_value *));
    if (!items)
        return pickle_no_memory(m);
    list->as.list.items = items;
    items[list->as.list.n++] = item;
    return deepen(m, list, item);
}

ptq_status pickle_store(pickle_machine *m, pickle_value *dict, pickle_value *key,
                        pickle_value *value)
{
    pickle_pair *pairs =
        grow(m, dict->as.dict.pairs, dict->as.dict.n, &dict->as.dict.cap, sizeof(pickle_pair));
    if (!pairs)
        return pickle_no_memory(m);
    dict->as.dict.pairs = pairs;
    pairs[dict->as.dict.n++] = (pickle_pair){key, value};
    PTQ_TRY(deepen(m, dict, key));
    return deepen(m, dict, value);
}

const pickle_value *pickle_doc_root(const pickle_doc *d)
{
    return d->root;
}

const pickle_value *pickle_get(const pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->as.dict.n; i-- > 0;) {
        const pickle_pair *p = &dict->as.dict.pairs[i];
        if (p->key->kind == PICKLE_STR && strcmp(p->key->as.text.data, key) == 0)
            return p->value;
    }
    return NULL;
}

const pickle_value *pickle_attr(const pickle_value *object, const char *name)
{
    return object && object->kind == PICKLE_OBJECT ? pickle_get(object->as.object.attributes, name)
                                                   : NULL;
}

const char *pickle_str(const pickle_value *v)
{
    return v && v->kind == PICKLE_STR ? v->as.text.data : NULL;
}

bool pickle_int(const pickle_value *v, int64_t *out)
{
    if (!v || (v->kind != PICKLE_INT && v->kind != PICKLE_BOOL))
        return false;
    *out = v->kind == PICKLE_INT ? v->as.integer : v->as.boolean;
    return true;
}

bool pickle_double(const pickle_value *v, double *out)
{
    if (!v || (v->kind != PICKLE_INT && v->kind != PICKLE_FLOAT))
        return false;
    *out = v->kind == PICKLE_INT ? (double)v->as.integer : v->as.number;
    return true;
}

bool pickle_bool(const pickle_value *v, bool *out)
{
    if (!v || v->kind != PICKLE_BOOL)
        return false;
    *out = v->as.boolean;
    return true;
}

bool pickle_is_none(const pickle_value *v)
{
    return !v || v->kind == PICKLE_NONE;
}

pickle_value *const *pickle_items(const pickle_value *v, size_t *n)
{
    bool has = v && (v->kind == PICKLE_LIST || v->kind == PICKLE_TUPLE || v->kind == PICKLE_SET);
    *n = has ? v->as.list.n : 0;
    return has ? v->as.list.items : NULL;
}

const char *pickle_class(const pickle_value *v, char text[256])
{
    text[0] = '\0';
    if (v && v->kind == PICKLE_OBJECT && v->as.object.type)
        snprintf(text, 256, "%s.%s", v->as.object.type->as.global.module,
                 v->as.object.type->as.global.name);
    return text;
}
