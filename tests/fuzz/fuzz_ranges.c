/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a calibration file: what is read can be solved and written again. */
#include "fuzz.h"

#include <stdlib.h>

#include "quant/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    ranges *r;
    ptq_error err;
    if (!fuzz_file(data, size, path))
        return 0;
    if (ranges_read(path, &r, &err) == PTQ_OK) {
        json_t *again = ranges_write_json(r, true);
        if (!again)
            abort();
        json_decref(again);
        bool has_histograms = r->n > 0;
        for (int i = 0; i < r->n; i++)
            has_histograms = has_histograms && r->items[i].has_histogram;
        if (has_histograms && r->n < 4 && ranges_solve(r, 99.9, 1, &err) != PTQ_OK)
            unlink(path); /* said, and no crash */
        ranges_destroy(r);
    }
    unlink(path);
    return 0;
}
