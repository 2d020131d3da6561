/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the pickle of a checkpoint whose eight storages of 4096 bytes are all there. */
#include "fuzz.h"

#include <zip.h>

#include "model/model.h"
#include "passes/passes.h"

static bool add_record(zip_t *z, const char *name, const void *data, size_t size)
{
    zip_source_t *source = zip_source_buffer(z, data, size, 0);
    zip_int64_t at = source ? zip_file_add(z, name, source, ZIP_FL_OVERWRITE) : -1;
    if (source && at < 0)
        zip_source_free(source);
    return at >= 0 && zip_set_file_compression(z, (zip_uint64_t)at, ZIP_CM_STORE, 0) == 0;
}

static bool write_checkpoint(const char *path, const uint8_t *data, size_t size)
{
    static uint16_t ones[2048]; /* as float16 */
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        ones[i] = 0x3c00;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    bool good = z && add_record(z, "archive/data.pkl", data, size);
    for (int i = 0; good && i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "archive/data/%d", i);
        good = add_record(z, name, ones, sizeof ones);
    }
    if (good)
        return zip_close(z) == 0;
    if (z)
        zip_discard(z);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    model *m = NULL;
    ptq_error err;
    model_options o = {.max_bytes = (size_t)16 << 20, .max_depth = 100};
    if (!fuzz_file(NULL, 0, path))
        return 0;
    if (write_checkpoint(path, data, size) && model_load(path, &o, NULL, &m, &err) == PTQ_OK &&
        passes_clean(m->graph, &err) == PTQ_OK && graph_verify(m->graph, &err) != PTQ_OK)
        abort();
    model_destroy(m);
    unlink(path);
    return 0;
}
