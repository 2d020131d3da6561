/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blob.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

struct blob {
    atomic_size_t n_refs;
    size_t size;
    void *data;
    blob *whole; /* a slice lies in there; NULL: the data is its own */
};

blob *blob_create_unset(size_t bytes)
{
    blob *b = mem_zalloc(sizeof *b);
    if (!b)
        return NULL;
    b->data = mem_alloc_aligned(bytes);
    if (!b->data) {
        mem_free(b);
        return NULL;
    }
    b->size = bytes;
    atomic_init(&b->n_refs, 1);
    return b;
}

blob *blob_create(size_t bytes)
{
    blob *b = blob_create_unset(bytes);
    if (b)
        memset(b->data, 0, bytes);
    return b;
}

blob *blob_copy_of(const void *data, size_t bytes)
{
    blob *b = blob_create_unset(bytes);
    if (b && bytes)
        memcpy(b->data, data, bytes);
    return b;
}

size_t blob_slice_bytes(size_t bytes)
{
    return (bytes + MEM_PAD + 63) / 64 * 64;
}

blob *blob_slice(blob *whole, size_t offset, size_t bytes)
{
    blob *b = mem_zalloc(sizeof *b);
    if (!b)
        return NULL;
    b->data = (char *)whole->data + offset;
    b->size = bytes;
    b->whole = blob_ref(whole);
    atomic_init(&b->n_refs, 1);
    return b;
}

blob *blob_ref(blob *b)
{
    if (b)
        atomic_fetch_add(&b->n_refs, 1);
    return b;
}

void blob_unref(blob **b)
{
    blob *p = *b;
    *b = NULL;
    if (p && atomic_fetch_sub(&p->n_refs, 1) == 1) {
        if (!p->whole)
            mem_free(p->data);
        blob_unref(&p->whole);
        mem_free(p);
    }
}

void *blob_data(const blob *b)
{
    return b->data;
}

size_t blob_size(const blob *b)
{
    return b->size;
}

bool blob_is_shared(const blob *b)
{
    return atomic_load(&b->n_refs) > 1;
}
