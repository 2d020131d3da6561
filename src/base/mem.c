/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_size_t n_allocations; /* a statistic, not state: nothing depends on its value */

size_t mem_count(void)
{
    return atomic_load_explicit(&n_allocations, memory_order_relaxed);
}

static void count_one(void)
{
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
}

bool mem_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *mem_alloc(size_t bytes)
{
    count_one();
    return malloc(bytes ? bytes : 1);
}

void *mem_zalloc(size_t bytes)
{
    count_one();
    return calloc(bytes ? bytes : 1, 1);
}

void *mem_array(size_t n, size_t size)
{
    count_one();
    return calloc(n ? n : 1, size ? size : 1);
}

void *mem_resize(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes))
        return NULL;
    count_one();
    return realloc(p, bytes ? bytes : 1);
}

void *mem_grow(void *p, size_t *cap, size_t n, size_t size)
{
    if (p && n <= *cap)
        return p;
    size_t wanted = n > *cap * 2 ? n : *cap * 2;
    void *grown = mem_resize(p, wanted, size);
    if (grown)
        *cap = wanted;
    return grown;
}

/* Asks for huge pages: a fault for each small one costs more than filling it. */
static void prefer_huge_pages(void *p, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    (void)madvise(p, bytes, MADV_HUGEPAGE); /* a wish; nothing depends on it */
#else
    (void)p, (void)bytes;
#endif
}

void *mem_alloc_aligned(size_t bytes)
{
    const size_t huge_page = 2 << 20;
    if (bytes > SIZE_MAX - 2 * huge_page)
        return NULL;
    count_one();
    size_t align = bytes >= 2 * huge_page ? huge_page : 64;
    size_t padded = (bytes + MEM_PAD + 63) / 64 * 64;
    unsigned char *p = aligned_alloc(align, (padded + align - 1) / align * align);
    if (!p)
        return NULL;
    if (align == huge_page)
        prefer_huge_pages(p, padded);
    memset(p + bytes, 0, padded - bytes);
    return p;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (!copy)
        return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}
