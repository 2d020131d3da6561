/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_convert.h — raw bytes of a storage into dense floats. */
#ifndef MODEL_PT_CONVERT_H
#define MODEL_PT_CONVERT_H

#include <stdbool.h>

#include "base/error.h"
#include "formats/pickle.h"

/* Reverses the bytes of each of n elements. */
void pt_swap_bytes(void *bytes, size_t element_bytes, size_t n);

/* Row-major values of the tensor whose storage begins at `storage` (little-endian, whole). Exact
 * for float16 and bfloat16; wider types are rounded. PTQ_UNSUPPORTED for complex numbers. */
PTQ_CHECKED ptq_status pt_gather(const pickle_tensor *t, const void *storage, float *values,
                                 ptq_error *err);

/* Whether all values are finite. */
bool pt_all_finite(const float *values, size_t n);

#endif
