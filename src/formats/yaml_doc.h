/* SPDX-License-Identifier: Apache-2.0 */
/* formats/yaml_doc.h — a YAML file as a small tree that knows its line numbers.
 *
 * The subset people write by hand: scalars, sequences and mappings with scalar keys; one document.
 * Scalars stay text until asked for as a number, truth value or null (plain ones only, by the rules
 * of YAML 1.1, which PyYAML follows). Aliases, repeated keys and files beyond the limits below are
 * refused. Everything belongs to the yaml_doc.
 */
#ifndef FORMATS_YAML_DOC_H
#define FORMATS_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { YAML_DOC_MAX_BYTES = 16 << 20, YAML_DOC_MAX_DEPTH = 64, YAML_DOC_MAX_NODES = 1 << 20 };

typedef enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } yaml_kind;

typedef struct yaml_value {
    yaml_kind kind;
    int line;                        /* 1 is the first */
    bool is_plain;                   /* a scalar without quotes */
    const char *text;                /* scalar: UTF-8; NULL else */
    int n;                           /* items of a sequence, pairs of a mapping */
    const char **keys;               /* mapping: n texts, each once, in the file's order */
    const struct yaml_value **items; /* sequence: the items; mapping: the values */
} yaml_value;

typedef struct yaml_doc yaml_doc;

PTQ_CHECKED ptq_status yaml_doc_load(const char *path, yaml_doc **out, ptq_error *err);
/* The same from memory; `name` stands for the file in messages. */
PTQ_CHECKED ptq_status yaml_doc_parse(const char *text, size_t size, const char *name,
                                      yaml_doc **out, ptq_error *err);
void yaml_doc_destroy(yaml_doc *d); /* NULL allowed */
const yaml_value *yaml_doc_root(const yaml_doc *d);
const char *yaml_doc_name(const yaml_doc *d);

/* The value of a key; NULL when absent or when `v` is NULL or no mapping. */
const yaml_value *yaml_get(const yaml_value *v, const char *key);

/* A plain scalar read as ...; false when it is something else (also when v is NULL). */
bool yaml_is_null(const yaml_value *v); /* null, ~ or nothing; not the text None */
bool yaml_int(const yaml_value *v, int64_t *out);
bool yaml_double(const yaml_value *v, double *out); /* integers too */
bool yaml_bool(const yaml_value *v, bool *out);     /* true/false, yes/no, on/off */

/* Sets "'NAME' line N: <formatted>" and returns PTQ_FORMAT. */
#define yaml_error(err, d, v, ...) (yaml_error_at((err), (d), (v), __VA_ARGS__), PTQ_FORMAT)
void yaml_error_at(ptq_error *err, const yaml_doc *d, const yaml_value *v, const char *format, ...)
    PTQ_PRINTF(4, 5);

#endif
