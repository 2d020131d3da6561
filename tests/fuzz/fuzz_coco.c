/* SPDX-License-Identifier: Apache-2.0 */
/* Two documents with a NUL between them, as COCO's instances and results. */
#include "fuzz.h"

#include <string.h>

#include "eval/coco_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    char truth[64], results[64];
    coco_scoring out;
    ptq_error err;
    size_t first = cut ? (size_t)(cut - data) : size;
    if (!fuzz_file(data, first, truth))
        return 0;
    if (fuzz_file(cut ? cut + 1 : data, cut ? size - first - 1 : 0, results)) {
        if (coco_score_files(results, truth, NULL, &out, &err) == PTQ_OK && out.n_images < 0)
            abort();
        unlink(results);
    }
    unlink(truth);
    return 0;
}
