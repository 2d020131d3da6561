/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a picture: what the header says is what is decoded. */
#include "fuzz.h"

#include "formats/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    image picture = {0};
    image_header header;
    ptq_error err;
    if (!fuzz_file(data, size, path))
        return 0;
    ptq_status probed = image_probe(path, &header, &err);
    if (probed == PTQ_OK && (int64_t)header.width * header.height > 1 << 20)
        goto done; /* larger ones show nothing new, and cost time */
    if (image_read(path, &picture, &err) == PTQ_OK) {
        bool is_turned = header.orientation >= 5 && header.orientation <= 8;
        int width = is_turned ? header.height : header.width;
        if (probed != PTQ_OK || picture.width != width)
            abort();
        image_clear(&picture);
    }
done:
    unlink(path);
    return 0;
}
