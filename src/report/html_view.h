/* SPDX-License-Identifier: Apache-2.0 */
/* report/html_view.h — inside the room: what the sections of the page share. */
#ifndef REPORT_HTML_VIEW_H
#define REPORT_HTML_VIEW_H

#include "base/str.h"
#include "report/fields.h"

/* Text and attribute values with &, <, > and quotes spelled out. */
void html_text(str *out, const char *text);
/* A cell: right-aligned number, "–" for NaN. */
void html_number(str *out, int digits, double value);
void html_cell(str *out, const char *text);
/* <section> with its heading; `id` is for links. */
void html_section(str *out, const char *id, const char *title);
void html_section_end(str *out);
/* An <svg> with what a screen reader says of it. */
void html_svg(str *out, double width, double height, const char *title, const char *description);
/* A folded table behind a chart: its header cells, NULL-terminated. */
void html_data_table(str *out, const char *const *header);
void html_data_table_end(str *out);

/* What the document says of why a layer loses; NULL: nothing. */
const json_t *html_cause_of(const json_t *document, const char *layer);
/* Its findings as a list. */
void html_findings(str *out, const json_t *cause);

/* The name of a layer, as a link to what the page shows of it when it does. */
void html_layer_name(str *out, const json_t *document, const char *name);

/* Without a ranking: the layers whose inputs lose most in 8 bits. */
void html_noise(str *out, const json_t *document);

/* The sections; each writes nothing when its keys are missing. */
typedef void html_fn(str *out, const json_t *document);
html_fn html_verdict, html_quantize, html_front, html_ranking, html_causes;
html_fn html_gallery, html_classes, html_confusion;
html_fn html_graph, html_layers, html_times;
html_fn html_provenance;

#endif
