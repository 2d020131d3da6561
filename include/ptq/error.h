/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/error.h — what a call answers.
 *
 * Every fallible function returns a ptq_status and fills the caller's ptq_error (NULL is allowed).
 * The message is a complete sentence, printable as it is. Outputs are untouched on failure.
 */
#ifndef PTQ_ERROR_H
#define PTQ_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* PTQ_STATUS(name, exit code of the program, fixed text): the one list of statuses. */
#define PTQ_STATUS_LIST(PTQ_STATUS)                                                                \
    PTQ_STATUS(OK, 0, "success")                                                                   \
    PTQ_STATUS(NO, 1, "the answer is no")                                                          \
    PTQ_STATUS(USAGE, 2, "invalid argument")                                                       \
    PTQ_STATUS(IO, 3, "cannot read or write")                                                      \
    PTQ_STATUS(DATA, 3, "dataset problem")                                                         \
    PTQ_STATUS(FORMAT, 4, "malformed input")                                                       \
    PTQ_STATUS(UNSUPPORTED, 4, "not supported")                                                    \
    PTQ_STATUS(SHAPE, 4, "shapes do not fit")                                                      \
    PTQ_STATUS(LIMIT, 5, "resource limit exceeded")                                                \
    PTQ_STATUS(INTERNAL, 70, "internal error")                                                     \
    PTQ_STATUS(CANCELLED, 130, "cancelled")

#define PTQ_STATUS_ENUM(name, exit_code, text) PTQ_##name,
typedef enum ptq_status { PTQ_STATUS_LIST(PTQ_STATUS_ENUM) PTQ_STATUS_COUNT } ptq_status;
#undef PTQ_STATUS_ENUM

typedef struct ptq_error {
    ptq_status code;
    char message[1024]; /* complete sentence, lower case, no full stop */
    const char *file;   /* origin in the source, static */
    int line;
} ptq_error;

/* The exit code of the program for a status, and its fixed text. */
__attribute__((visibility("default"))) int ptq_status_exit_code(ptq_status status);
__attribute__((visibility("default"))) const char *ptq_status_text(ptq_status status);

#ifdef __cplusplus
}
#endif
#endif
