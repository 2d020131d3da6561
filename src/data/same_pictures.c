/* SPDX-License-Identifier: Apache-2.0 */
#include "data/same_pictures.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/strmap.h"

enum { HEX = 65 };

static bool hash_of(const char *path, char hex[HEX])
{
    char *bytes;
    size_t size;
    sha256 h;
    if (file_read(path, 0, &bytes, &size, NULL) != PTQ_OK)
        return false;
    sha256_init(&h);
    sha256_add(&h, bytes, size);
    sha256_hex(&h, hex);
    mem_free(bytes);
    return true;
}

ptq_status same_pictures(const dataset *a, const dataset *b, int *n, const char **first,
                         ptq_error *err)
{
    char hex[HEX];
    int64_t at;
    strmap *known = strmap_create();
    bool ok = known != NULL;
    for (int i = 0; ok && i < a->n_items; i++)
        ok = !hash_of(a->items[i].path, hex) || strmap_put(known, hex, i);
    *n = 0;
    *first = NULL;
    for (int i = 0; ok && i < b->n_items; i++) {
        if (!hash_of(b->items[i].path, hex) || !strmap_get(known, hex, &at))
            continue;
        *first = *first ? *first : b->items[i].path;
        (*n)++;
    }
    strmap_destroy(known);
    return ok ? PTQ_OK : error_no_memory(err, 0, "comparing pictures");
}
