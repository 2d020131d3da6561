/* SPDX-License-Identifier: Apache-2.0 */
/* The eval table: YOLOv7's own layout (test.py), so that numbers can be laid side by side, and
 * pycocotools' twelve lines. */
#include <math.h>

#include "report/table.h"
#include "report/view.h"

static void print_class(str *out, const char *name, const json_t *row)
{
    static const struct {
        const char *key;
        int digits; /* significant ones */
    } COLUMNS[] = {{"images", 9}, {"labels", 9}, {"precision", 3},
                   {"recall", 3}, {"map50", 3},  {"map50_95", 3}};
    str_addf(out, "%20s", name);
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++) {
        double value = field_number(row, COLUMNS[i].key);
        if (isnan(value))
            str_addf(out, "%12s", "-");
        else
            str_addf(out, "%12.*g", COLUMNS[i].digits, value);
    }
    str_add(out, "\n");
}

/* Where YOLOv7's wide columns do not fit. */
static void print_narrow(str *out, const json_t *result, int limit)
{
    static const char *const KEYS[] = {"images", "labels", "precision",
                                       "recall", "map50",  "map50_95"};
    table t = TABLE_INIT("lrrrrrr");
    const json_t *classes = field_at(result, "per_class");
    table_row(&t, (const char *[]){"Class", "Images", "Labels", "P", "R", "mAP@.5", "mAP@.5:.95"});
    for (size_t i = 0; i <= json_array_size(classes); i++) {
        const json_t *row = i ? json_array_get(classes, i - 1) : result;
        table_cell(&t, "%s", i ? field_text(row, "name", "?") : "all");
        for (int k = 0; k < 6; k++)
            table_number(&t, k < 2 ? 0 : 3, field_number(row, KEYS[k]));
    }
    table_print(&t, out, 0, limit);
}

static void print_classes(str *out, const report_view *view)
{
    enum { YOLOV7_WIDTH = 92 };
    const json_t *result = view->result;
    if (isnan(field_number(result, "map50")))
        return;
    if (view->limit > 0 && view->limit < YOLOV7_WIDTH) {
        print_narrow(out, result, view->limit);
        return;
    }
    str_addf(out, "%20s%12s%12s%12s%12s%12s%12s\n", "Class", "Images", "Labels", "P", "R", "mAP@.5",
             "mAP@.5:.95");
    print_class(out, "all", result);
    const json_t *classes = field_at(result, "per_class");
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const json_t *row = json_array_get(classes, i);
        print_class(out, field_text(row, "name", "?"), row);
    }
}

static void print_speed(str *out, const report_view *view)
{
    double inference = field_number(view->result, "speed_ms.inference");
    double nms = field_number(view->result, "speed_ms.nms");
    if (isnan(inference) || isnan(nms))
        return;
    str_addf(out, "Speed: %.1f/%.1f/%.1f ms inference/NMS/total", inference, nms, inference + nms);
    double size = field_number(view->config, "imgsz");
    if (!isnan(size))
        str_addf(out, " per %.0fx%.0f image", size, size);
    double before = field_number(view->result, "speed_ms.preprocess");
    if (!isnan(before))
        str_addf(out, ", %.1f ms to read and letterbox it", before);
    str_add(out, "\n");
}

static void print_coco(str *out, const json_t *coco)
{
    static const struct {
        const char *key, *title, *type, *iou, *area;
        int detections;
    } LINES[] = {
        {"ap", "Average Precision", "(AP)", "0.50:0.95", "all", 100},
        {"ap50", "Average Precision", "(AP)", "0.50", "all", 100},
        {"ap75", "Average Precision", "(AP)", "0.75", "all", 100},
        {"ap_small", "Average Precision", "(AP)", "0.50:0.95", "small", 100},
        {"ap_medium", "Average Precision", "(AP)", "0.50:0.95", "medium", 100},
        {"ap_large", "Average Precision", "(AP)", "0.50:0.95", "large", 100},
        {"ar1", "Average Recall", "(AR)", "0.50:0.95", "all", 1},
        {"ar10", "Average Recall", "(AR)", "0.50:0.95", "all", 10},
        {"ar100", "Average Recall", "(AR)", "0.50:0.95", "all", 100},
        {"ar_small", "Average Recall", "(AR)", "0.50:0.95", "small", 100},
        {"ar_medium", "Average Recall", "(AR)", "0.50:0.95", "medium", 100},
        {"ar_large", "Average Recall", "(AR)", "0.50:0.95", "large", 100},
    };
    for (size_t i = 0; coco && i < sizeof LINES / sizeof *LINES; i++) {
        double value = field_number(coco, LINES[i].key);
        /* pycocotools' -1: no object of that size. */
        str_addf(out, " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %0.3f\n", LINES[i].title,
                 LINES[i].type, LINES[i].iou, LINES[i].area, LINES[i].detections,
                 isnan(value) ? -1.0 : value);
    }
}

void text_eval(str *out, const report_view *view)
{
    print_classes(out, view);
    print_speed(out, view);
    print_coco(out, field_at(view->result, "coco"));
    const char *protocol = field_text(view->result, "protocol", NULL);
    if (protocol)
        str_addf(out, "protocol: %s\n", protocol);
}
