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
#include "data/label_file.h"

struct ptq_image_source; /* of ptq/image.h */

typedef struct image_item {
    char *path;
    int index; /* in the source */
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
    image_item *items; /* sorted by path, each once */
    int n_items;
    int n_labels;           /* all */
    int n_missing, n_empty; /* label files */
    int n_corrupt;          /* images left out of items: they or their labels cannot be used */
    const struct ptq_image_source
        *source;   /* where the pixels are when there are no files, or NULL */
    arena *memory; /* holds all of the above but the source */
} dataset;

typedef struct dataset_options {
    const char *split;     /* "train", "val", "test" */
    const char *data_root; /* replaces a foreign prefix of list lines; or NULL */
    int limit;             /* first N usable ones of the list, in its own order; 0: all */
    bool single_class;     /* --single-cls */
    bool need_labels;      /* PTQ_DATA when no image has a label file */
    bool list_order;       /* keep the order of the list (calibration) instead of sorting */
    int n_classes;         /* of a folder of pictures, which names none */
    char **class_names;    /* of a folder, too; borrowed; NULL: "class 0", "class 1" ... */
} dataset_options;

/* A folder may stand for the yaml: every fourth of its pictures is then the split "val", the others
 * are "train" (all are both when there are fewer than four).
 * Reads the yaml, the lists, the headers of the pictures and the labels. Warns through `env` about
 * images that are left out, at most ten by name. PTQ_DATA when nothing is left, and for a class
 * that the yaml does not have. *.cache files beside lists are not used: they go stale. */
PTQ_CHECKED ptq_status dataset_open(const char *yaml_path, const dataset_options *options,
                                    const ptq_env *env, dataset **out, ptq_error *err);
void dataset_destroy(dataset *d);

/* `ptq list`: every image below `dir`, sorted; *n absolute paths written to `list_path`, one per
 * line. */
PTQ_CHECKED ptq_status dataset_write_list(const char *dir, const char *list_path, int *n,
                                          ptq_error *err);

#endif
