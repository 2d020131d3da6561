/* SPDX-License-Identifier: Apache-2.0 */
/* graph/detector_form.h — what a detector wants of a picture and how its output says boxes. It
 * belongs to a graph, is copied with it, and changes nothing of what the graph computes.
 */
#ifndef GRAPH_DETECTOR_FORM_H
#define GRAPH_DETECTOR_FORM_H

#include "graph/graph.h"

typedef enum detector_family {
    DETECTOR_AUTO, /* to be recognised */
    DETECTOR_YOLOV7,
    DETECTOR_YOLOX,
    DETECTOR_YOLOV8
} detector_family;

typedef enum detector_answer {
    DETECTOR_ROWS,   /* [N,rows,5+classes]: boxes in pixels, objectness, classes */
    DETECTOR_CELLS,  /* the same, boxes relative to cells of 8, 16 and 32 pixels (YOLOX) */
    DETECTOR_COLUMNS /* [N,4+classes,rows]: boxes in pixels, no objectness (YOLOv8) */
} detector_answer;

typedef struct detector_form {
    detector_family family;
    detector_answer answer;
    bool is_bgr;    /* not RGB */
    bool is_bytes;  /* 0 ... 255, not 0 ... 1 */
    bool at_corner; /* the picture lies at the top left, not in the middle */
} detector_form;

/* A new graph is a YOLOv7. */
const detector_form *graph_detector(const graph *g);
void graph_set_detector(graph *g, const detector_form *form);

#endif
