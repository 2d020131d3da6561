/* SPDX-License-Identifier: Apache-2.0 */
/* model/onnx_file.h — the bytes of an .onnx file as protobuf messages, and their attributes.
 *
 * Everything lives in one arena until onnx_file_close(). Nothing in the messages is checked beyond
 * their being messages: names may be NULL, sizes impossible, references dangling.
 */
#ifndef MODEL_ONNX_FILE_H
#define MODEL_ONNX_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "formats/onnx.pb-c.h"

enum { ONNX_MIN_OPSET = 7, ONNX_MAX_OPSET = 27 };

typedef struct onnx_file {
    arena *arena;
    const Onnx__ModelProto *model; /* has a graph */
    int opset;                     /* of the default domain */
} onnx_file;

typedef struct onnx_limits {
    size_t max_bytes; /* of the file */
    int max_depth;    /* of nested messages */
    bool any_opset;   /* also those that cannot be imported: the file is only looked at */
} onnx_limits;

PTQ_CHECKED ptq_status onnx_file_open(const char *path, const onnx_limits *limits, onnx_file *out,
                                      ptq_error *err);
void onnx_file_close(onnx_file *f);

/* The default domain, "" or "ai.onnx". NULL counts as "". */
bool onnx_is_default_domain(const char *domain);

/* Attributes of a node. Absent ones give the fallback; a wrong kind is PTQ_FORMAT. */
const Onnx__AttributeProto *onnx_attr(const Onnx__NodeProto *n, const char *name);
PTQ_CHECKED ptq_status onnx_attr_int(const Onnx__NodeProto *n, const char *name, int64_t fallback,
                                     int64_t *out, ptq_error *err);
PTQ_CHECKED ptq_status onnx_attr_float(const Onnx__NodeProto *n, const char *name, float fallback,
                                       float *out, ptq_error *err);
/* *n_values 0 when absent; at most `max` values are allowed. */
PTQ_CHECKED ptq_status onnx_attr_ints(const Onnx__NodeProto *n, const char *name, int max,
                                      int64_t *values, int *n_values, ptq_error *err);
/* Which of the NULL-terminated `choices` the string is; an unknown one is PTQ_UNSUPPORTED. */
PTQ_CHECKED ptq_status onnx_attr_choice(const Onnx__NodeProto *n, const char *name,
                                        const char *const *choices, int fallback, int *out,
                                        ptq_error *err);

#endif
