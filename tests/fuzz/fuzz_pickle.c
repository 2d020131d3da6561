/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "formats/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pickle_doc *d = NULL;
    ptq_error err;
    pickle_limits limits = {.max_bytes = (size_t)64 << 20, .max_depth = 200};
    if (pickle_parse(data, size, &limits, NULL, &d, &err) == PTQ_OK)
        pickle_doc_destroy(d);
    return 0;
}
