/* SPDX-License-Identifier: Apache-2.0 */
/* report/fields.h — reading documents that may lack anything. Nothing here fails: absent numbers
 * are NaN, absent texts are the fallback, absent arrays are empty. Paths are dotted keys.
 */
#ifndef REPORT_FIELDS_H
#define REPORT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

const json_t *field_at(const json_t *object, const char *path); /* NULL: absent, or null */
double field_number(const json_t *object, const char *path);    /* NaN: absent, or no number */
const char *field_text(const json_t *object, const char *path, const char *fallback);
bool field_flag(const json_t *object, const char *path, bool fallback);

/* A time that is given as a number or as {"median": number, ...}. */
double field_median(const json_t *object, const char *path);

#endif
