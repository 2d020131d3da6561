/* SPDX-License-Identifier: Apache-2.0 */
/* base/file.h — whole files in, whole files out.
 *
 * Outputs are written to a temporary file beside the target and renamed on commit: the target is
 * either whole or untouched. A link stays a link: what it leads to is replaced. Devices and pipes
 * are written as they are.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* The file's bytes, followed by one NUL that is not counted; mem_free() them.
 * PTQ_IO when it cannot be read, PTQ_LIMIT when larger than max_bytes (0: no cap). */
PTQ_CHECKED ptq_status file_read(const char *path, size_t max_bytes, char **data, size_t *size,
                                 ptq_error *err);

typedef struct file_out {
    FILE *stream; /* write here */
    char *path;
    char *temp_path;  /* NULL: a device or a pipe, written directly */
    bool may_be_lost; /* by a power cut: renamed without waiting for the disk */
} file_out;

PTQ_CHECKED ptq_status file_out_open(file_out *out, const char *path, ptq_error *err);
PTQ_CHECKED ptq_status file_out_commit(file_out *out, ptq_error *err); /* flush, sync, rename */
void file_out_abort(file_out *out); /* removes the temporary; does nothing after commit */

PTQ_CHECKED ptq_status file_write(const char *path, const void *data, size_t size, ptq_error *err);
/* Without waiting for the disk, for what is only convenient to have. */
PTQ_CHECKED ptq_status file_write_soon(const char *path, const void *data, size_t size,
                                       ptq_error *err);

/* PTQ_IO unless `path` can be created or replaced: to fail before the work, not after it. */
PTQ_CHECKED ptq_status file_check_writable(const char *path, ptq_error *err);
bool file_exists(const char *path);
bool file_is_special(const char *path); /* a device or a pipe: nothing there can be lost */
bool file_is_dir(const char *path);
PTQ_CHECKED ptq_status file_make_dirs(const char *path, ptq_error *err); /* mkdir -p */

/* Keeps others from the same work: "<path>.lock", held until it is released or its holder dies. */
typedef struct file_lock {
    int fd;
    char *path; /* NULL: not held */
} file_lock;

/* PTQ_IO when somebody has it, in this process or another. */
PTQ_CHECKED ptq_status file_lock_take(file_lock *lock, const char *path, ptq_error *err);
void file_lock_release(file_lock *lock); /* does nothing unless held */

/* Opens or makes `path` itself, locked until it is closed; `what` the message names. */
PTQ_CHECKED ptq_status file_open_locked(const char *path, const char *what, int *fd,
                                        ptq_error *err);

/* "<folder>/.<name>.<suffix>", where what belongs to `path` while it is made is kept. */
PTQ_CHECKED ptq_status path_beside(const char *path, const char *suffix, char **out,
                                   ptq_error *err);
const char *path_base(const char *path); /* part after the last '/' */
/* New string, mem_free() it; NULL when out of memory. */
char *path_dir(const char *path);                   /* "." when there is no '/' */
char *path_join(const char *dir, const char *name); /* `name` alone when it is absolute */
char *path_stem(const char *path);                  /* base without its last suffix */

#endif
