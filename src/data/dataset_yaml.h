/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_yaml.h — what a data yaml says: the classes, and where pictures and annotations are.
 *
 * Keys: train, val, test (a list file, a folder, or several), nc, names (a list, or a map from
 * class number), annotations, path (the folder that the others are relative to). Others are
 * ignored. Relative names are looked for below `path`, below the yaml's folder, and in the working
 * directory.
 */
#ifndef DATA_DATASET_YAML_H
#define DATA_DATASET_YAML_H

#include "base/arena.h"
#include "data/image_list.h"

typedef struct dataset_source {
    const char *yaml_path;
    const char *split;     /* key of the yaml */
    const char *data_root; /* or NULL */
} dataset_source;

typedef struct dataset_yaml {
    int n_classes;
    char **class_names;
    char *annotations; /* or NULL; need not exist */
} dataset_yaml;

/* Reads the yaml and collects the pictures of the split into `images`. Texts live in `memory`. */
PTQ_CHECKED ptq_status dataset_yaml_read(const dataset_source *source, arena *memory,
                                         dataset_yaml *out, image_list *images, ptq_error *err);

#endif
