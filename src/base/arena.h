/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h — many small objects with one lifetime.
 *
 * Everything lives until arena_destroy(). Memory is zeroed and 16-byte aligned.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct arena arena;

arena *arena_create(size_t max_bytes); /* max_bytes 0: no cap. NULL when out of memory. */
void arena_destroy(arena *a);          /* NULL allowed */

/* NULL when out of memory, over the cap, or when n*size overflows. */
void *arena_alloc(arena *a, size_t n, size_t size);
char *arena_strdup(arena *a, const char *s);
char *arena_strndup(arena *a, const char *s, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_used(const arena *a);

#endif
