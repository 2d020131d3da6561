/* SPDX-License-Identifier: Apache-2.0 */
/* report/text.h — a result as a person reads it.
 *
 * The JSON document of a command is the single truth; the text is a view of it and adds nothing.
 * A key that is missing leaves out its line, never the rest.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <jansson.h>

/* The table of `command` ("info", "machine", "run", "eval", ...), ending with a newline. `json` is
 * the whole document, or its "result" alone: then what needs "model" or "config" is left out.
 * Long lists are wrapped at `width` columns (0: 100). ASCII, apart from names in the document.
 * NULL when out of memory; mem_free() it. */
char *report_text(const char *command, const json_t *json, int width);

/* The same for a terminal: no line is wider than `columns` where that can be, but for commands to
 * be typed. */
char *report_text_fit(const char *command, const json_t *json, int columns);

#endif
