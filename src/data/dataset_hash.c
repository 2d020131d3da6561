/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/sha256.h"

static void add_item(sha256 *h, const image_item *item)
{
    struct stat of_file;
    char text[256];
    int64_t bytes = stat(item->path, &of_file) == 0 ? (int64_t)of_file.st_size : -1;
    int n = snprintf(text, sizeof text, "%.128s %" PRId64 " %dx%d %d;", path_base(item->path),
                     bytes, item->width, item->height, item->n_labels);
    sha256_add(h, text, (size_t)n);
    for (int i = 0; i < item->n_labels; i++) {
        const label *l = &item->labels[i];
        n = snprintf(text, sizeof text, "%d %a %a %a %a;", l->cls, (double)l->x, (double)l->y,
                     (double)l->w, (double)l->h);
        sha256_add(h, text, (size_t)n);
    }
}

void dataset_hash(const dataset *d, char hex[DATASET_HASH_SIZE])
{
    sha256 h;
    sha256_init(&h);
    for (int i = 0; i < d->n_items; i++)
        add_item(&h, &d->items[i]);
    sha256_hex(&h, hex);
}
