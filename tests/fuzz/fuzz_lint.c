/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ONNX file that a target's rules are held against. */
#include "fuzz.h"

#include "lint/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    lint_report r;
    ptq_error err;
    if (!fuzz_file(data, size, path))
        return 0;
    for (int target = 0; target < 3; target++) {
        lint_options o = {.target = (lint_target)target, .max_bytes = (size_t)64 << 20};
        if (lint_file(path, &o, NULL, &r, &err) == PTQ_OK)
            lint_report_clear(&r);
    }
    unlink(path);
    return 0;
}
