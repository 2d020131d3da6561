/* SPDX-License-Identifier: Apache-2.0 */
/* formats/npy.h — numpy's .npy files: one array, its type and its shape.
 *
 * Read: format versions 1 to 3, every plain number type, either byte order, C or Fortran order;
 * the result is always in C order and native bytes. Written: version 1, little endian, C order,
 * data aligned to 64 bytes in the file, as numpy itself writes. Object arrays and records are
 * refused.
 */
#ifndef FORMATS_NPY_H
#define FORMATS_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define NPY_MAX_RANK 8

typedef enum npy_dtype {
    NPY_BOOL,
    NPY_U8,
    NPY_I8,
    NPY_U16,
    NPY_I16,
    NPY_U32,
    NPY_I32,
    NPY_U64,
    NPY_I64,
    NPY_F16,
    NPY_F32,
    NPY_F64
} npy_dtype;

typedef struct npy_array {
    npy_dtype dtype;
    int rank; /* 0: a scalar, count 1 */
    int64_t dims[NPY_MAX_RANK];
    size_t count; /* elements */
    void *data;   /* 64-byte aligned, MEM_PAD readable bytes after; owned */
} npy_array;

/* Bytes of one element. */
size_t npy_dtype_size(npy_dtype dtype);

/* PTQ_FORMAT when malformed, PTQ_UNSUPPORTED for types that are not plain numbers, PTQ_LIMIT when
 * the file is larger than max_bytes (0: no cap). */
PTQ_CHECKED ptq_status npy_read(const char *path, size_t max_bytes, npy_array *out, ptq_error *err);
/* npy_read(), then converted to NPY_F32: integers and doubles are rounded to nearest. */
PTQ_CHECKED ptq_status npy_read_f32(const char *path, size_t max_bytes, npy_array *out,
                                    ptq_error *err);
PTQ_CHECKED ptq_status npy_parse(const void *bytes, size_t size, npy_array *out, ptq_error *err);
PTQ_CHECKED ptq_status npy_to_f32(npy_array *a, ptq_error *err); /* in place; a kept on failure */
void npy_clear(npy_array *a);

/* Writes a->data whole or not at all. */
PTQ_CHECKED ptq_status npy_write(const char *path, const npy_array *a, ptq_error *err);
PTQ_CHECKED ptq_status npy_write_f32(const char *path, const float *data, int rank,
                                     const int64_t *dims, ptq_error *err);

#endif
