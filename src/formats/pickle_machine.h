/* SPDX-License-Identifier: Apache-2.0 */
/* formats/pickle_machine.h — what the opcodes and the calls of a pickle share; private to them. */
#ifndef FORMATS_PICKLE_MACHINE_H
#define FORMATS_PICKLE_MACHINE_H

#include "base/arena.h"
#include "formats/pickle.h"

struct pickle_doc {
    arena *arena;
    const pickle_value *root;
};

typedef struct pickle_machine {
    const unsigned char *data;
    size_t size;
    size_t pos;    /* next byte */
    size_t op_pos; /* where the present opcode stands */
    size_t n_ops;  /* executed so far */
    arena *arena;
    int max_depth;
    size_t max_bytes; /* of the arena */
    pickle_value **stack;
    size_t n_stack;
    size_t cap_stack;
    size_t *marks; /* heights of the stack */
    size_t n_marks;
    size_t cap_marks;
    pickle_value **memo; /* by index; NULL: empty slot */
    size_t cap_memo;
    size_t n_memo; /* entries stored, for MEMOIZE */
    pickle_value *result;
    ptq_error *err;
} pickle_machine;

/* Sets "byte N: <formatted>" and returns the status. */
#define pickle_fail(m, status, ...)                                                                \
    (pickle_fail_at((m), (status), __VA_ARGS__), (ptq_status)(status))
void pickle_fail_at(const pickle_machine *m, ptq_status status, const char *format, ...)
    PTQ_PRINTF(3, 4);
/* PTQ_LIMIT: neither the machine nor the limit gives more. */
#define pickle_no_memory(m)                                                                        \
    pickle_fail((m), PTQ_LIMIT,                                                                    \
                "out of memory, or the document needs more than the limit of %zu bytes",           \
                (m)->max_bytes)

PTQ_CHECKED ptq_status pickle_new(pickle_machine *m, pickle_kind kind, pickle_value **out);
/* Copies the bytes; `kind` is STR or BYTES. */
PTQ_CHECKED ptq_status pickle_new_text(pickle_machine *m, pickle_kind kind, const void *data,
                                       size_t size, pickle_value **out);
/* A list, tuple or set of the items, copied. */
PTQ_CHECKED ptq_status pickle_new_list(pickle_machine *m, pickle_kind kind,
                                       pickle_value *const *items, size_t n, pickle_value **out);
PTQ_CHECKED ptq_status pickle_append(pickle_machine *m, pickle_value *list, pickle_value *item);
PTQ_CHECKED ptq_status pickle_store(pickle_machine *m, pickle_value *dict, pickle_value *key,
                                    pickle_value *value);

/* pickle_reduce.c: names and calls. */
PTQ_CHECKED ptq_status pickle_global(pickle_machine *m, const char *module, const char *name,
                                     pickle_value **out);
PTQ_CHECKED ptq_status pickle_reduce(pickle_machine *m, const pickle_value *callee,
                                     pickle_value *args, pickle_value **out);
PTQ_CHECKED ptq_status pickle_new_object(pickle_machine *m, const pickle_value *type,
                                         pickle_value *args, pickle_value **out);
PTQ_CHECKED ptq_status pickle_build(pickle_machine *m, pickle_value *target, pickle_value *state);

/* pickle_tensor.c: torch's storages and tensors. */
PTQ_CHECKED ptq_status pickle_persistent(pickle_machine *m, const pickle_value *id,
                                         pickle_value **out);
/* _rebuild_tensor, _v2, _v3 by the number of the version 1, 2, 3. */
PTQ_CHECKED ptq_status pickle_rebuild_tensor(pickle_machine *m, const pickle_value *args,
                                             int version, pickle_value **out);

#endif
