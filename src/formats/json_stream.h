/* SPDX-License-Identifier: Apache-2.0 */
/* formats/json_stream.h — reads JSON of any size in one pass, without building a tree.
 *
 * For documents whose structure is known and whose length is not: the caller says what it expects
 * next, and whatever else stands there is an error with file, line and byte. Numbers are correctly
 * rounded whatever the locale. Strict JSON (RFC 8259): no NaN, no comments, no trailing commas.
 *
 *     json_begin_array(s, err);
 *     while (json_next_item(s, &more, err) == PTQ_OK && more)
 *         json_read_number(s, &value, err);
 */
#ifndef FORMATS_JSON_STREAM_H
#define FORMATS_JSON_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { JSON_MAX_DEPTH = 64 }; /* deeper nesting is refused */

typedef enum json_kind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_BOOL,
    JSON_NULL,
    JSON_OTHER /* the end of the file, or no value at all */
} json_kind;

typedef struct json_stream json_stream;

PTQ_CHECKED ptq_status json_stream_open(const char *path, json_stream **out, ptq_error *err);
void json_stream_close(json_stream *s); /* NULL allowed */

/* What the next value is; reads nothing but blanks. */
PTQ_CHECKED ptq_status json_peek(json_stream *s, json_kind *kind, ptq_error *err);

PTQ_CHECKED ptq_status json_begin_object(json_stream *s, ptq_error *err);
/* The next member's name, or NULL when the object has ended. Valid until the next call. */
PTQ_CHECKED ptq_status json_next_key(json_stream *s, const char **key, ptq_error *err);
PTQ_CHECKED ptq_status json_begin_array(json_stream *s, ptq_error *err);
/* *more: an item follows; else the array has ended. */
PTQ_CHECKED ptq_status json_next_item(json_stream *s, bool *more, ptq_error *err);

PTQ_CHECKED ptq_status json_read_number(json_stream *s, double *value, ptq_error *err);
/* An array of exactly n numbers. */
PTQ_CHECKED ptq_status json_read_numbers(json_stream *s, double *values, int n, ptq_error *err);
/* A number without a fraction, below 2^53 in magnitude (42 or 42.0). */
PTQ_CHECKED ptq_status json_read_integer(json_stream *s, int64_t *value, ptq_error *err);
/* true and false, or a number: anything but 0 is true. */
PTQ_CHECKED ptq_status json_read_flag(json_stream *s, bool *value, ptq_error *err);
/* UTF-8, NUL-terminated; valid until the next call. */
PTQ_CHECKED ptq_status json_read_string(json_stream *s, const char **text, ptq_error *err);
/* Any value, checked and dropped. */
PTQ_CHECKED ptq_status json_skip(json_stream *s, ptq_error *err);
/* Nothing but blanks may follow. */
PTQ_CHECKED ptq_status json_end(json_stream *s, ptq_error *err);

/* An error about what was just read: "'F', line 3, byte 120: <formatted>". */
#define json_error(s, status, err, ...)                                                            \
    (json_error_at((s), (status), (err), __VA_ARGS__), (ptq_status)(status))
void json_error_at(const json_stream *s, ptq_status status, ptq_error *err, const char *format, ...)
    PTQ_PRINTF(4, 5);

#endif
