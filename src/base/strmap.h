/* SPDX-License-Identifier: Apache-2.0 */
/* base/strmap.h — string to integer map (names to ids). Keys are copied. */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct strmap strmap;

strmap *strmap_create(void); /* NULL when out of memory */
void strmap_destroy(strmap *m);
bool strmap_put(strmap *m, const char *key, int64_t value); /* replaces; false: out of memory */
bool strmap_get(const strmap *m, const char *key, int64_t *value); /* false: absent */

#endif
