/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tape.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"

enum { FINGERPRINT_BYTES = 65 };

/* In front of every result. */
typedef struct head {
    char what[16];
    uint64_t size;
    char check[16]; /* of name, size and result */
} head;

struct tape {
    char *path;
    int fd;
    off_t at, end; /* the next result; of the file */
    bool is_broken;
    const ptq_env *env;
};

static head head_of(const char *what, const void *data, size_t size)
{
    sha256 s;
    char hex[65];
    head h = {.size = size};
    snprintf(h.what, sizeof h.what, "%s", what);
    sha256_init(&s);
    sha256_add(&s, h.what, sizeof h.what);
    sha256_add(&s, &h.size, sizeof h.size);
    sha256_add(&s, data, size);
    sha256_hex(&s, hex);
    memcpy(h.check, hex, sizeof h.check);
    return h;
}

ptq_status tape_open(const char *path, const ptq_env *env, tape **out, ptq_error *err)
{
    struct stat st;
    tape *t = mem_zalloc(sizeof *t);
    char *own = mem_strdup(path);
    ptq_status status =
        t && own ? PTQ_OK : error_no_memory(err, strlen(path), "what is kept of a run");
    if (status == PTQ_OK)
        status = file_open_locked(path, path, &t->fd, err);
    if (status != PTQ_OK) {
        mem_free(own);
        mem_free(t);
        return status;
    }
    t->path = own;
    t->env = env;
    t->end = fstat(t->fd, &st) == 0 ? st.st_size : 0;
    *out = t;
    return PTQ_OK;
}

bool tape_holds_results(const tape *t)
{
    return t && t->end > (off_t)(sizeof(head) + FINGERPRINT_BYTES);
}

void tape_close(tape *t, bool is_done)
{
    if (!t)
        return;
    if (is_done || !tape_holds_results(t))
        unlink(t->path);
    close(t->fd);
    mem_free(t->path);
    mem_free(t);
}

const char *tape_path(const tape *t)
{
    return t->path;
}

/* ---------------------------------------------------------------- reading */

static bool read_at(const tape *t, off_t at, void *out, size_t size)
{
    char *to = out;
    while (size > 0) {
        ssize_t n = pread(t->fd, to, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_head(const tape *t, off_t at, head *h)
{
    return t->end - at >= (off_t)sizeof *h && read_at(t, at, h, sizeof *h) &&
           memchr(h->what, '\0', sizeof h->what) && h->size <= (uint64_t)(t->end - at) - sizeof *h;
}

static bool read_result(const tape *t, off_t at, const char *what, void *out, size_t size)
{
    head h, want;
    if (!read_head(t, at, &h) || strcmp(h.what, what) != 0 || h.size != size ||
        !read_at(t, at + (off_t)sizeof h, out, size))
        return false;
    want = head_of(what, out, size);
    return memcmp(h.check, want.check, sizeof h.check) == 0;
}

bool tape_recall(tape *t, const char *what, void *out, size_t size)
{
    if (!t || t->is_broken || !read_result(t, t->at, what, out, size))
        return false;
    t->at += (off_t)(sizeof(head) + size);
    return true;
}

bool tape_find(const tape *t, const char *what, void *out, size_t size)
{
    head h;
    bool found = false;
    for (off_t at = 0; read_head(t, at, &h); at += (off_t)(sizeof h + h.size))
        if (strcmp(h.what, what) == 0)
            found = read_result(t, at, what, out, size);
    return found;
}

bool tape_peek(const tape *t, const char *what, size_t *size)
{
    head h;
    if (!t || t->is_broken || !read_head(t, t->at, &h) || strcmp(h.what, what) != 0)
        return false;
    *size = (size_t)h.size;
    return true;
}

int64_t tape_place(const tape *t)
{
    return t ? t->at : 0;
}

void tape_return(tape *t, int64_t place)
{
    if (t)
        t->at = (off_t)place;
}

/* ---------------------------------------------------------------- writing */

static bool write_at(const tape *t, off_t at, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        ssize_t n = pwrite(t->fd, from, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

void tape_keep(tape *t, const char *what, const void *data, size_t size)
{
    if (!t || t->is_broken)
        return;
    head h = head_of(what, data, size);
    bool ok = (t->end == t->at || ftruncate(t->fd, t->at) == 0) &&
              write_at(t, t->at, &h, sizeof h) && write_at(t, t->at + (off_t)sizeof h, data, size);
    if (!ok) {
        t->is_broken = true;
        env_log(t->env, PTQ_LOG_WARNING,
                "cannot write '%s': %s; should this run be stopped, it goes on from here", t->path,
                strerror(errno));
        return;
    }
    t->at = t->end = t->at + (off_t)(sizeof h + size);
}

bool tape_bind(tape *t, const char *what, const char fingerprint[65])
{
    char theirs[FINGERPRINT_BYTES];
    if (!t || t->is_broken)
        return true;
    off_t start = t->at;
    bool is_new = t->end == t->at;
    bool fits = tape_recall(t, what, theirs, sizeof theirs) &&
                memcmp(theirs, fingerprint, sizeof theirs) == 0;
    if (fits && start == 0 && t->end > t->at)
        env_log(t->env, PTQ_LOG_WARNING, "going on from what '%s' holds", t->path);
    if (!fits && !is_new)
        env_log(t->env, PTQ_LOG_WARNING,
                "what '%s' holds is of another model, other images or other options; beginning "
                "anew",
                t->path);
    if (!fits) {
        t->at = start;
        tape_keep(t, what, fingerprint, FINGERPRINT_BYTES);
    }
    return fits || is_new;
}
