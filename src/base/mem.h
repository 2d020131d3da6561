/* SPDX-License-Identifier: Apache-2.0 */
/* base/mem.h — every allocation of the library goes through here.
 *
 * Sizes that come from files are multiplied with mem_mul() first. A NULL return means out of
 * memory; the caller reports it with error_no_memory().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Readable bytes past the end of every buffer handed to a kernel. */
#define MEM_PAD 64

void *mem_alloc(size_t bytes);                    /* uninitialised; bytes 0 gives a valid pointer */
void *mem_zalloc(size_t bytes);                   /* zeroed */
void *mem_array(size_t n, size_t size);           /* zeroed, NULL on overflow */
void *mem_resize(void *p, size_t n, size_t size); /* realloc to n*size, NULL on overflow; p kept */
/* Room for at least n items, *cap of them, at least doubled when it grows; NULL: out of memory, and
 * p and *cap are kept. */
void *mem_grow(void *p, size_t *cap, size_t n, size_t size);
void *mem_alloc_aligned(size_t bytes); /* 64-byte aligned, MEM_PAD readable bytes after */
void mem_free(void *p);                /* for all of the above; NULL allowed */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* a*b into *out; false on overflow. */
bool mem_mul(size_t a, size_t b, size_t *out);

/* Allocations since the process started: tests show with it that a path does not allocate. */
size_t mem_count(void);

#endif
