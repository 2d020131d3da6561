/* SPDX-License-Identifier: Apache-2.0 */
/* data/image_list.h — the pictures that a folder or a list file names, each once.
 *
 * As YOLOv7 collects them (spec: data.md §1): only names with a picture's suffix count; a folder is
 * searched with its subfolders, hidden ones left out; a list has one name per line. Lists from
 * Windows (CRLF, a byte order mark, backslashes) are read too.
 */
#ifndef DATA_IMAGE_LIST_H
#define DATA_IMAGE_LIST_H

#include "base/strmap.h"
#include "data/dataset_path.h"

typedef struct image_list {
    char **paths;
    int n, cap;
    strmap *seen;
} image_list;

PTQ_CHECKED ptq_status image_list_init(image_list *list, ptq_error *err);
void image_list_clear(image_list *list);

/* One picture; there is no look at the file. */
PTQ_CHECKED ptq_status image_list_add(image_list *list, const char *path, ptq_error *err);
/* Everything below a folder, sorted by path. */
PTQ_CHECKED ptq_status image_list_add_folder(image_list *list, const char *folder, ptq_error *err);
/* The lines of a list file, in its order. A line that begins with ./ is relative to the list's
 * folder; other relative ones follow `rules`, the list's folder last. */
PTQ_CHECKED ptq_status image_list_add_file(image_list *list, const char *path,
                                           const path_rules *rules, ptq_error *err);

#endif
