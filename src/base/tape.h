/* SPDX-License-Identifier: Apache-2.0 */
/* base/tape.h — results of a long computation in the order they come, appended to a file: when it
 * was stopped, however rudely, the same computation takes them from there and goes on.
 *
 * The computation must be deterministic: each result is known by its place. NULL is a tape that
 * keeps nothing.
 */
#ifndef BASE_TAPE_H
#define BASE_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"

typedef struct tape tape;

/* Opens or makes the file, which is locked until tape_close(): PTQ_IO when another run has it. */
PTQ_CHECKED ptq_status tape_open(const char *path, const ptq_env *env, tape **out, ptq_error *err);
/* What follows depends on what has this fingerprint: results of another are dropped, with a
 * warning; then it is false. */
bool tape_bind(tape *t, const char *what, const char fingerprint[65]);
/* Removes the file when it is of no more use, or holds no result. */
void tape_close(tape *t, bool is_done);

/* The next result into `out`, when one of this name and size is kept. */
bool tape_recall(tape *t, const char *what, void *out, size_t size);
/* Appends it; whatever stood at its place and behind is dropped. Where that fails, it warns and
 * nothing more is kept. `what`: at most 15 characters. */
void tape_keep(tape *t, const char *what, const void *data, size_t size);

/* Of results in several parts: back to where the first was looked for, when another is missing. */
int64_t tape_place(const tape *t);
void tape_return(tape *t, int64_t place);
bool tape_peek(const tape *t, const char *what, size_t *size); /* of the next result */

/* The last such result, wherever it stands; before tape_bind(). */
bool tape_find(const tape *t, const char *what, void *out, size_t size);
bool tape_holds_results(const tape *t);
const char *tape_path(const tape *t);

#endif
