/* SPDX-License-Identifier: Apache-2.0 */
/* report/view.h — inside the room: what each table is given, and the list of tables. */
#ifndef REPORT_VIEW_H
#define REPORT_VIEW_H

#include "base/str.h"
#include "report/fields.h"

typedef struct report_view {
    const json_t *model;  /* may be NULL */
    const json_t *config; /* may be NULL */
    const json_t *result;
    int width; /* of words that are wrapped */
    int limit; /* of tables and lines; 0: as wide as they are */
} report_view;

typedef void report_fn(str *out, const report_view *view);

report_fn text_info, text_machine, text_run, text_list, text_export;
report_fn text_eval;
report_fn text_calibrate, text_quantize, text_compare, text_sensitivity;
report_fn text_bench;
report_fn text_lint;
report_fn text_detect;
report_fn text_page;

/* "[1,3,640,640]"; a dimension that is no number shows as '?'. */
void text_shape(str *out, const json_t *shape);
/* The names of a list of strings or of objects with "name" or "layer", separated by spaces. */
void text_names(str *out, const json_t *list);
/* The layers with their quantizers as a tree; those of `kept` are float. Either may be NULL. */
void text_quantizers(str *out, const json_t *quantizers, const json_t *kept);
/* What stays float, and why: the layers of each reason together. */
void text_kept(str *out, const json_t *kept, int width);
/* Whether the ranges have settled; nothing without steps. */
void text_coverage(str *out, const json_t *coverage);
/* The main cause of each of the worst layers, from "causes"; nothing without any. */
void text_causes(str *out, const report_view *view);
/* "wrote FILE" when the result says where. */
void text_wrote(str *out, const report_view *view);
/* "next: trtexec ..." for the file that was written, when the result tells its input. */
void text_next_step(str *out, const report_view *view);

#endif
