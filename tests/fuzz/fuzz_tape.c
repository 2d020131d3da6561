/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a stopped run has left, and written over what it left. */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>

#include "base/tape.h"

/* Fewer bytes than a checksum has: whole ones libFuzzer reads off the comparison and forges. */
enum { N_RESULTS = 3, LARGEST = 1 << 16, MAX_HARM = 8 };

static const char fingerprint[65] = "0123456789abcdef";
static const char *const names[N_RESULTS] = {"ranges", "metrics", "ranges"};
static const char results[N_RESULTS][40] = {"the first", "the second, longer", ""};

static tape *open_tape(const char *path)
{
    tape *t;
    ptq_error err;
    if (tape_open(path, NULL, &t, &err) != PTQ_OK)
        abort();
    return t;
}

static void keep_and_recall(tape *t, int i)
{
    char found[sizeof results[i]];
    int64_t place = tape_place(t);
    tape_keep(t, names[i], results[i], sizeof results[i]);
    tape_return(t, place);
    if (!tape_recall(t, names[i], found, sizeof found) || memcmp(found, results[i], sizeof found))
        abort();
}

/* Whatever the file holds, results are kept and found behind it. */
static void read_bytes(const char *path)
{
    tape *t = open_tape(path);
    char output[65];
    size_t size;
    (void)tape_find(t, "output", output, sizeof output);
    (void)tape_bind(t, "run", fingerprint);
    while (tape_peek(t, names[0], &size) && size <= LARGEST) {
        char *found = malloc(size + 1);
        bool is_whole = found && tape_recall(t, names[0], found, size);
        free(found);
        if (!is_whole)
            break;
    }
    for (int i = 0; i < N_RESULTS; i++)
        keep_and_recall(t, i);
    tape_close(t, false);
}

static void write_results(const char *path)
{
    unlink(path);
    tape *t = open_tape(path);
    (void)tape_bind(t, "run", fingerprint);
    for (int i = 0; i < N_RESULTS; i++)
        tape_keep(t, names[i], results[i], sizeof results[i]);
    tape_close(t, false);
}

/* The first two bytes tell where, the third whether the file ends there. */
static void harm(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || size < 3)
        abort();
    off_t at = (data[0] | data[1] << 8) % 512;
    size_t n = size - 3 < MAX_HARM ? size - 3 : MAX_HARM;
    bool is_written = pwrite(fd, data + 3, n, at) >= 0;
    if (!is_written || (data[2] & 1 && ftruncate(fd, at + (off_t)n) != 0))
        abort();
    close(fd);
}

/* What is found is what was kept, or nothing. */
static void read_results(const char *path)
{
    tape *t = open_tape(path);
    (void)tape_bind(t, "run", fingerprint);
    for (int i = 0; i < N_RESULTS; i++) {
        char found[sizeof results[i]];
        if (!tape_recall(t, names[i], found, sizeof found))
            break;
        if (memcmp(found, results[i], sizeof found) != 0)
            abort();
    }
    tape_close(t, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (!fuzz_file(data, size, path))
        return 0;
    read_bytes(path);
    write_results(path);
    if (size >= 3)
        harm(path, data, size);
    read_results(path);
    unlink(path);
    return 0;
}
