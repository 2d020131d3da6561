/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz.h — a fuzz target is fuzz_<name>.c with LLVMFuzzerTestOneInput(); its corpus is
 * corpus/<name>/. `make fuzz` looks for new inputs with libFuzzer; the tests replay the corpus. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a file of this process; unlink() it. False: there is no room for it. */
static inline bool fuzz_file(const uint8_t *data, size_t size, char path[64])
{
    bool is_memory = access("/dev/shm", W_OK) == 0;
    snprintf(path, 64, "%s/ptq-fuzz-XXXXXX", is_memory ? "/dev/shm" : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    bool is_whole = !size || write(fd, data, size) == (ssize_t)size;
    close(fd);
    if (!is_whole)
        unlink(path);
    return is_whole;
}

#endif
