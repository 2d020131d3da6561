/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static ptq_status read_all(FILE *f, size_t max_bytes, char **data, size_t *size, ptq_error *err)
{
    size_t cap = 1 << 16, used = 0;
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode))
        cap = (size_t)st.st_size + 2;
    if (max_bytes && cap > max_bytes + 2)
        return error_set(err, PTQ_LIMIT, "the file is larger than the limit of %zu bytes",
                         max_bytes);
    char *buffer = mem_alloc(cap);
    if (!buffer)
        return error_no_memory(err, cap, "a file");
    for (;;) {
        used += fread(buffer + used, 1, cap - used - 1, f);
        if (ferror(f)) {
            mem_free(buffer);
            return error_set(err, PTQ_IO, "%s", strerror(errno));
        }
        if (max_bytes && used > max_bytes) {
            mem_free(buffer);
            return error_set(err, PTQ_LIMIT, "the file is larger than the limit of %zu bytes",
                             max_bytes);
        }
        if (used < cap - 1)
            break;
        char *grown = mem_resize(buffer, cap, 2);
        if (!grown) {
            mem_free(buffer);
            return error_no_memory(err, cap, "a file");
        }
        buffer = grown;
        cap *= 2;
    }
    buffer[used] = '\0';
    *data = buffer;
    *size = used;
    return PTQ_OK;
}

ptq_status file_read(const char *path, size_t max_bytes, char **data, size_t *size, ptq_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, PTQ_IO, "cannot open '%s': %s", path, strerror(errno));
    ptq_status status = read_all(f, max_bytes, data, size, err);
    fclose(f);
    if (status != PTQ_OK)
        error_context(err, "cannot read '%s'", path);
    return status;
}

/* Where a link leads; else `path` itself. `real` has PATH_MAX bytes. */
static ptq_status follow(const char *path, char *real, const char **out, ptq_error *err)
{
    struct stat st;
    *out = path;
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode) || file_is_special(path))
        return PTQ_OK;
    if (!realpath(path, real))
        return error_set(err, PTQ_IO, "cannot write '%s': it is a link that leads nowhere: %s",
                         path, strerror(errno));
    *out = real;
    return PTQ_OK;
}

/* Names of what is written, and of its temporary. */
static ptq_status name_output(file_out *out, const char *path, ptq_error *err)
{
    char real[PATH_MAX];
    const char *target;
    PTQ_TRY(follow(path, real, &target, err));
    str temp = STR_INIT;
    bool is_special = file_is_special(path);
    if (!is_special)
        str_addf(&temp, "%s.%ld.part", target, (long)getpid());
    out->path = mem_strdup(target);
    out->temp_path = is_special ? NULL : str_take(&temp);
    if (out->path && (is_special || out->temp_path))
        return PTQ_OK;
    return error_no_memory(err, strlen(path), "a file name");
}

ptq_status file_out_open(file_out *out, const char *path, ptq_error *err)
{
    file_out opened = {0};
    *out = opened;
    ptq_status status = name_output(&opened, path, err);
    if (status == PTQ_OK) {
        opened.stream = fopen(opened.temp_path ? opened.temp_path : opened.path, "wb");
        if (!opened.stream)
            status = error_set(err, PTQ_IO, "cannot write '%s': %s", path, strerror(errno));
    }
    if (status == PTQ_OK) {
        *out = opened;
        return PTQ_OK;
    }
    mem_free(opened.temp_path); /* it was never created */
    mem_free(opened.path);
    return status;
}

ptq_status file_out_commit(file_out *out, ptq_error *err)
{
    bool good = fflush(out->stream) == 0 && !ferror(out->stream);
    if (out->temp_path && !out->may_be_lost)
        good = good && fsync(fileno(out->stream)) == 0;
    good = fclose(out->stream) == 0 && good;
    out->stream = NULL;
    if (good && out->temp_path)
        good = rename(out->temp_path, out->path) == 0;
    if (!good) {
        (void)error_set(err, PTQ_IO, "cannot write '%s': %s", out->path, strerror(errno));
        file_out_abort(out);
        return PTQ_IO;
    }
    mem_free(out->temp_path);
    mem_free(out->path);
    *out = (file_out){0};
    return PTQ_OK;
}

void file_out_abort(file_out *out)
{
    if (out->stream)
        fclose(out->stream);
    if (out->temp_path)
        unlink(out->temp_path);
    mem_free(out->temp_path);
    mem_free(out->path);
    *out = (file_out){0};
}

static ptq_status write_whole(const char *path, const void *data, size_t size, bool may_be_lost,
                              ptq_error *err)
{
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    out.may_be_lost = may_be_lost;
    if (size && fwrite(data, 1, size, out.stream) != size) {
        (void)error_set(err, PTQ_IO, "cannot write '%s': %s", path, strerror(errno));
        file_out_abort(&out);
        return PTQ_IO;
    }
    return file_out_commit(&out, err);
}

ptq_status file_write(const char *path, const void *data, size_t size, ptq_error *err)
{
    return write_whole(path, data, size, false, err);
}

ptq_status file_write_soon(const char *path, const void *data, size_t size, ptq_error *err)
{
    return write_whole(path, data, size, true, err);
}

ptq_status file_check_writable(const char *path, ptq_error *err)
{
    if (file_is_dir(path))
        return error_set(err, PTQ_IO, "cannot write '%s': it is a directory", path);
    if (file_is_special(path)) /* opening a pipe would wait for its reader */
        return access(path, W_OK) == 0
                   ? PTQ_OK
                   : error_set(err, PTQ_IO, "cannot write '%s': %s", path, strerror(errno));
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    file_out_abort(&out);
    return PTQ_OK;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Opens and locks; a file that its last holder removed meanwhile locks nobody out. */
ptq_status file_open_locked(const char *path, const char *what, int *out, ptq_error *err)
{
    for (;;) {
        struct stat mine, there;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return error_set(err, PTQ_IO, "cannot write '%s': %s", path, strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int reason = errno;
            close(fd);
            if (reason != EWOULDBLOCK)
                return error_set(err, PTQ_IO, "cannot lock '%s': %s", path, strerror(reason));
            return error_set(err, PTQ_IO,
                             "'%s' is in use by another run; wait for its end, or choose another "
                             "file",
                             what);
        }
        if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev) {
            *out = fd;
            return PTQ_OK;
        }
        close(fd);
    }
}

ptq_status file_lock_take(file_lock *lock, const char *path, ptq_error *err)
{
    str name = STR_INIT;
    str_addf(&name, "%s.lock", path);
    char *text = str_take(&name);
    int fd = -1;
    if (!text)
        return error_no_memory(err, strlen(path), "a file name");
    ptq_status status = file_open_locked(text, path, &fd, err);
    if (status == PTQ_OK)
        *lock = (file_lock){fd, text};
    else
        mem_free(text);
    return status;
}

void file_lock_release(file_lock *lock)
{
    if (!lock->path)
        return;
    unlink(lock->path);
    close(lock->fd);
    mem_free(lock->path);
    *lock = (file_lock){0};
}

ptq_status file_make_dirs(const char *path, ptq_error *err)
{
    char *copy = mem_strdup(path);
    if (!copy)
        return error_no_memory(err, strlen(path), "a path");
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(copy, 0777); /* the last one below tells what is wrong */
            *p = '/';
        }
    int failed = mkdir(copy, 0777) != 0 ? errno : 0;
    mem_free(copy);
    if (failed == EEXIST && !file_is_dir(path))
        return error_set(err, PTQ_IO, "cannot create the folder '%s': a file has that name", path);
    if (failed && !file_is_dir(path))
        return error_set(err, PTQ_IO, "cannot create the folder '%s': %s", path, strerror(failed));
    return PTQ_OK;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

char *path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0])
        return mem_strdup(name);
    str s = STR_INIT;
    str_addf(&s, "%s%s%s", dir, str_ends_with(dir, "/") ? "" : "/", name);
    return str_take(&s);
}

char *path_stem(const char *path)
{
    const char *base = path_base(path);
    const char *dot = strrchr(base, '.');
    return mem_strndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

ptq_status path_beside(const char *path, const char *suffix, char **out, ptq_error *err)
{
    str made = STR_INIT;
    const char *name = path_base(path);
    str_addf(&made, "%.*s.%s.%s", (int)(name - path), path, name, suffix);
    *out = str_take(&made);
    return *out ? PTQ_OK : error_no_memory(err, strlen(path), "a path");
}
