/* SPDX-License-Identifier: Apache-2.0 */
/* replay FOLDER: runs a fuzz target over the files of its corpus, without a fuzzer. */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

int main(int argc, char **argv)
{
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    int n = 0;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char path[1024], *data;
        size_t size;
        ptq_error err;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.' || file_read(path, 0, &data, &size, &err) != PTQ_OK)
            continue;
        printf("%s\n", path);
        fflush(stdout);
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, size);
        mem_free(data);
        n++;
    }
    if (d)
        closedir(d);
    printf("%d inputs\n", n);
    return n ? 0 : 1;
}
