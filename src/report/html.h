/* SPDX-License-Identifier: Apache-2.0 */
/* report/html.h — a result as a page: one file, no network, no other file.
 *
 * The page is a view of the document and adds nothing: a section appears when its keys are there.
 * Keys beyond those of the commands are under "facts" (README.md).
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <jansson.h>

/* `document` is a whole document. NULL when out of memory; mem_free() it. */
char *report_html(const json_t *document);

#endif
