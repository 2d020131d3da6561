/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_path.h — finding files that a data yaml or an image list names.
 *
 * Lists travel between machines, so a name is tried in this order until a file exists:
 *   1. as it is (absolute), or below each base folder in turn (relative);
 *   2. the same with backslashes as slashes, when it holds backslashes;
 *   3. below the data root: its longest tail that exists there. With the root /data, the name
 *      D:\coco\images\a.jpg is looked for at /data/coco/images/a.jpg, /data/images/a.jpg,
 * /data/a.jpg.
 */
#ifndef DATA_DATASET_PATH_H
#define DATA_DATASET_PATH_H

#include <stdbool.h>

#include "base/error.h"

typedef struct path_rules {
    const char *bases[4]; /* "" is the working directory */
    int n_bases;
    const char *data_root; /* or NULL */
} path_rules;

/* *out (mem_free it) is what exists, else the first spelling tried; *found tells which. */
PTQ_CHECKED ptq_status path_find(const path_rules *rules, const char *name, char **out, bool *found,
                                 ptq_error *err);

/* Where YOLOv7 looks for the labels of a picture: the first "/images/" becomes "/labels/", the
 * suffix "txt". When nothing is there but something is after replacing the last "/images/" instead
 * (as YOLOv5 does), that. mem_free() it. */
PTQ_CHECKED ptq_status label_path_of(const char *image_path, char **out, ptq_error *err);

#endif
