/* SPDX-License-Identifier: Apache-2.0 */
/* data/label_file.h — one YOLO label file: a line per object, "class x y width height" as fractions
 * of the image, or "class x1 y1 x2 y2 ..." for a polygon, which becomes its bounding box.
 *
 * Judged as YOLOv7's cache_labels() does (spec: data.md §2): one wrong line spoils the file, and
 * the caller leaves its image out.
 */
#ifndef DATA_LABEL_FILE_H
#define DATA_LABEL_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct label {
    int cls;
    float x, y, w, h; /* centre and size as fractions of the image */
} label;

typedef struct label_rules {
    int n_classes;
    bool single_class; /* every object is of class 0 */
} label_rules;

/* PTQ_FORMAT: the file is spoiled. PTQ_DATA: a class that the data set does not have; labels and
 * names do not belong together then. Both name the file and the line. *labels lives in `memory`. */
PTQ_CHECKED ptq_status label_file_read(const char *path, const label_rules *rules, arena *memory,
                                       label **labels, int *n, ptq_error *err);

#endif
