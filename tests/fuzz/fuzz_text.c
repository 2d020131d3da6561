/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes as a label file and as an image list. */
#include "fuzz.h"

#include "data/image_list.h"
#include "data/label_file.h"

static void read_labels(const char *path)
{
    label_rules rules = {.n_classes = 80};
    label *labels;
    int n;
    ptq_error err;
    arena *memory = arena_create((size_t)64 << 20);
    if (memory && label_file_read(path, &rules, memory, &labels, &n, &err) == PTQ_OK)
        for (int i = 0; i < n; i++)
            if (labels[i].cls < 0 || labels[i].cls >= rules.n_classes)
                abort();
    arena_destroy(memory);
}

static void read_list(const char *path)
{
    path_rules rules = {.bases = {"/nonexistent"}, .n_bases = 1};
    image_list list = {0};
    ptq_error err;
    if (image_list_init(&list, &err) == PTQ_OK &&
        image_list_add_file(&list, path, &rules, &err) == PTQ_OK)
        for (int i = 0; i < list.n; i++)
            if (!list.paths[i])
                abort();
    image_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (!fuzz_file(data, size, path))
        return 0;
    read_labels(path);
    read_list(path);
    unlink(path);
    return 0;
}
