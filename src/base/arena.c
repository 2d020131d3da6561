/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 64 * 1024 };

typedef struct block {
    struct block *next;
    size_t used;
    size_t size;
    _Alignas(16) unsigned char data[];
} block;

struct arena {
    block *top;
    size_t used;
    size_t max_bytes;
};

arena *arena_create(size_t max_bytes)
{
    arena *a = mem_zalloc(sizeof *a);
    if (a)
        a->max_bytes = max_bytes ? max_bytes : SIZE_MAX;
    return a;
}

void arena_destroy(arena *a)
{
    if (!a)
        return;
    for (block *b = a->top, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    mem_free(a);
}

static block *block_add(arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    if (size > SIZE_MAX - sizeof(block))
        return NULL;
    block *b = mem_zalloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    b->next = a->top;
    a->top = b;
    return b;
}

void *arena_alloc(arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes) || bytes > SIZE_MAX - 15)
        return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > a->max_bytes - a->used)
        return NULL;
    block *b = a->top;
    if (!b || b->size - b->used < bytes)
        b = block_add(a, bytes);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += bytes;
    a->used += bytes;
    return p;
}

char *arena_strndup(arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(a, n + 1, 1);
    if (copy)
        memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1, 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_used(const arena *a)
{
    return a->used;
}
