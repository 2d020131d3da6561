/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/fingerprint.h"

#include <string.h>
#include <sys/stat.h>

void fingerprint_text(sha256 *h, const char *text)
{
    sha256_add(h, text, strlen(text) + 1);
}

void fingerprint_constants(sha256 *h, const graph *g)
{
    for (int i = 0; i < graph_n_tensors(g); i++) {
        const tensor *t = graph_tensor_const(g, (tensor_id)i);
        if (t->data)
            sha256_add(h, blob_data(t->data), blob_size(t->data));
    }
}

void fingerprint_images(sha256 *h, const dataset *d)
{
    for (int i = 0; i < d->n_items; i++) {
        struct stat st;
        int64_t facts[3] = {-1, -1, -1};
        if (stat(d->items[i].path, &st) == 0) {
            facts[0] = (int64_t)st.st_size;
            facts[1] = (int64_t)st.st_mtim.tv_sec;
            facts[2] = (int64_t)st.st_mtim.tv_nsec;
        }
        fingerprint_text(h, d->items[i].path);
        sha256_add(h, facts, sizeof facts);
    }
}
