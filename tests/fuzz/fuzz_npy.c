/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "formats/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    npy_array a;
    ptq_error err;
    if (npy_parse(data, size, &a, &err) != PTQ_OK)
        return 0;
    size_t n = 1;
    for (int i = 0; i < a.rank; i++)
        n *= (size_t)a.dims[i];
    if (n != a.count || a.count * npy_dtype_size(a.dtype) > size)
        abort();
    if (npy_to_f32(&a, &err) == PTQ_OK && a.dtype != NPY_F32)
        abort();
    npy_clear(&a);
    return 0;
}
