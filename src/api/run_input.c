/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/loader.h"
#include "formats/npy.h"

static ptq_status is_npy(const char *path, bool *answer, ptq_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, PTQ_IO, "cannot open '%s': %s", path, strerror(errno));
    unsigned char magic[6] = {0};
    *answer = fread(magic, 1, sizeof magic, f) == sizeof magic &&
              memcmp(magic, "\x93NUMPY", sizeof magic) == 0;
    fclose(f);
    return PTQ_OK;
}

static ptq_status load_npy(const char *path, tensor_view *out, ptq_error *err)
{
    npy_array a;
    PTQ_TRY(npy_read_f32(path, 0, &a, err));
    if (a.rank != 4) {
        int rank = a.rank;
        npy_clear(&a);
        return error_set(err, PTQ_SHAPE, "'%s' has %d axes; the network takes [N,3,H,W]", path,
                         rank);
    }
    *out = (tensor_view){.data = a.data, .type = DTYPE_F32, .shape = shape_make(4, a.dims)};
    return PTQ_OK;
}

ptq_status run_input_load(const char *path, int size, const picture_form *form, tensor_view *out,
                          ptq_error *err)
{
    bool npy = false;
    PTQ_TRY(is_npy(path, &npy, err));
    if (npy)
        return load_npy(path, out, err);
    float *images;
    placement place;
    PTQ_TRY(load_image_square(path, size, form, &images, &place, err));
    *out = (tensor_view){.data = images, .type = DTYPE_F32, .shape = shape4(1, 3, size, size)};
    return PTQ_OK;
}
