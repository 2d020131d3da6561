/* SPDX-License-Identifier: Apache-2.0 */
/* base/error.h — filling a ptq_error, and passing it up.
 *
 * error_set() returns its status, so that a failure is one statement:
 *     return error_set(err, PTQ_FORMAT, "opcode 0x%02x at byte %zu is not allowed", op, pos);
 * On the way up error_context() puts words in front: "cannot load 'x.pt': opcode ...".
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "ptq/error.h"

#define PTQ_CHECKED __attribute__((warn_unused_result))
#define PTQ_PRINTF(format_index, args_index)                                                       \
    __attribute__((format(printf, format_index, args_index)))

/* An expression whose value compilers and analyzers see. */
#define error_set(err, status, ...)                                                                \
    (error_set_at((err), (status), __FILE__, __LINE__, __VA_ARGS__), (ptq_status)(status))

void error_set_at(ptq_error *err, ptq_status status, const char *file, int line, const char *format,
                  ...) PTQ_PRINTF(5, 6);

/* Puts "<formatted>: " in front of the message. Returns err->code (PTQ_INTERNAL when err is NULL:
 * callers that need the code keep the status they have). */
void error_context(ptq_error *err, const char *format, ...) PTQ_PRINTF(2, 3);

/* "out of memory (N bytes for WHAT)" */
#define error_no_memory(err, bytes, what)                                                          \
    error_set((err), PTQ_LIMIT, "out of memory: %zu bytes for %s", (size_t)(bytes), (what))

/* Returns on failure. Only where nothing must be released. */
#define PTQ_TRY(call)                                                                              \
    do {                                                                                           \
        ptq_status try_status_ = (call);                                                           \
        if (try_status_ != PTQ_OK)                                                                 \
            return try_status_;                                                                    \
    } while (0)

#endif
