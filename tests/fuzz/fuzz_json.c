/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "formats/json_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    json_stream *s = NULL;
    ptq_error err;
    if (!fuzz_file(data, size, path))
        return 0;
    if (json_stream_open(path, &s, &err) == PTQ_OK && json_skip(s, &err) == PTQ_OK &&
        json_end(s, &err) != PTQ_OK)
        unlink(path); /* rubbish behind the value is said, too */
    json_stream_close(s);
    unlink(path);
    return 0;
}
