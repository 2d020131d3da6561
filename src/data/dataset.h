/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset.h — image lists and labels, exactly as YOLOv7's LoadImagesAndLabels sees them.
 * Spec: data.md §1, §2.
 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/error.h"

typedef struct label {
    int cls;
    float x, y, w, h; /* centre and size as fractions of the image */
} label;

typedef struct image_item {
    char *path;
    char *label_path;
    int width, height; /* EXIF-corrected as the label scan does (6 and 8 only) */
    label *labels;
    int n_labels;
    bool has_label_file;
} image_item;

typedef struct dataset {
    char *yaml_path;
    int n_classes;
    char **class_names;
    char *annotations; /* COCO instances file, or NULL */
    image_item *items; /* sorted by path */
    int n_items;
    int n_labels;                      /* all */
    int n_missing, n_empty, n_corrupt; /* label files; corrupt images are left out of items */
} dataset;

typedef struct dataset_options {
    const char *split;     /* "train", "val", "test" */
    const char *data_root; /* replaces a foreign prefix of list lines; or NULL */
    int limit;             /* first N of the list; 0: all */
    bool single_class;     /* --single-cls */
    bool need_labels;      /* PTQ_DATA when no image has a label file */
    bool list_order;       /* keep the order of the list (calibration) instead of sorting */
} dataset_options;

PTQ_CHECKED ptq_status dataset_open(const char *yaml_path, const dataset_options *options,
                                    const ptq_env *env, dataset **out, ptq_error *err);
void dataset_destroy(dataset *d);

/* `ptq list`: every image below `dir`, sorted; *n images written to `list_path`, one per line. */
PTQ_CHECKED ptq_status dataset_write_list(const char *dir, const char *list_path, int *n,
                                          ptq_error *err);

#endif
