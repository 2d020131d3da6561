/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strmap.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

typedef struct entry {
    char *key;
    int64_t value;
} entry;

struct strmap {
    entry *slots; /* open addressing, power of two, at most half full */
    size_t n_slots;
    size_t n_used;
};

strmap *strmap_create(void)
{
    strmap *m = mem_zalloc(sizeof *m);
    if (!m)
        return NULL;
    m->n_slots = 64;
    m->slots = mem_array(m->n_slots, sizeof *m->slots);
    if (!m->slots) {
        mem_free(m);
        return NULL;
    }
    return m;
}

void strmap_destroy(strmap *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_slots; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    mem_free(m);
}

static entry *find(entry *slots, size_t n_slots, const char *key)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (const unsigned char *p = (const unsigned char *)key; *p; p++)
        hash = (hash ^ *p) * 1099511628211u;
    size_t i = (size_t)hash & (n_slots - 1);
    while (slots[i].key && strcmp(slots[i].key, key) != 0)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

static bool grow(strmap *m)
{
    size_t n = m->n_slots * 2;
    entry *slots = mem_array(n, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < m->n_slots; i++)
        if (m->slots[i].key)
            *find(slots, n, m->slots[i].key) = m->slots[i];
    mem_free(m->slots);
    m->slots = slots;
    m->n_slots = n;
    return true;
}

bool strmap_put(strmap *m, const char *key, int64_t value)
{
    if (2 * (m->n_used + 1) > m->n_slots && !grow(m))
        return false;
    entry *e = find(m->slots, m->n_slots, key);
    if (!e->key) {
        e->key = mem_strdup(key);
        if (!e->key)
            return false;
        m->n_used++;
    }
    e->value = value;
    return true;
}

bool strmap_get(const strmap *m, const char *key, int64_t *value)
{
    const entry *e = find(m->slots, m->n_slots, key);
    if (!e->key)
        return false;
    *value = e->value;
    return true;
}
