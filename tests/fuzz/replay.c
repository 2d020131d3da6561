/* SPDX-License-Identifier: Apache-2.0 */
/* replay FOLDER ...: runs a fuzz target over the files of folders, without a fuzzer. */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

/* Number of files. */
static int replay(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char path[1024], *data;
        size_t size;
        ptq_error err;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
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
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++)
        n += replay(argv[i]);
    printf("%d inputs\n", n);
    return n ? 0 : 1;
}
