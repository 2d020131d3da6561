/* SPDX-License-Identifier: Apache-2.0 */
#include "api/exchange.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/npy.h"

struct exchange {
    char *dir;
    predict_fn *inner; /* NULL: read outputs */
    void *inner_user;
    int n_done;
    str index;
    float *rows; /* outputs of the present batch */
    size_t rows_cap;
};

static ptq_status create(const char *dir, exchange **out, ptq_error *err)
{
    exchange *x = mem_zalloc(sizeof *x);
    if (x)
        x->dir = mem_strdup(dir);
    if (!x || !x->dir) {
        exchange_destroy(x);
        return error_no_memory(err, sizeof(exchange), "a folder of tensors");
    }
    *out = x;
    return PTQ_OK;
}

ptq_status exchange_save(const char *dir, predict_fn *inner, void *inner_user, exchange **out,
                         ptq_error *err)
{
    exchange *x = NULL;
    PTQ_TRY(file_make_dirs(dir, err));
    PTQ_TRY(create(dir, &x, err));
    x->inner = inner;
    x->inner_user = inner_user;
    *out = x;
    return PTQ_OK;
}

ptq_status exchange_read(const char *dir, exchange **out, ptq_error *err)
{
    if (!file_is_dir(dir))
        return error_set(err, PTQ_IO, "'%s' is no folder", dir);
    return create(dir, out, err);
}

void exchange_destroy(exchange *x)
{
    if (!x)
        return;
    mem_free(x->dir);
    mem_free(x->rows);
    str_clear(&x->index);
    mem_free(x);
}

static char *tensor_path(const exchange *x, int number)
{
    str s = STR_INIT;
    str_addf(&s, "%s/%06d.npy", x->dir, number);
    return str_take(&s);
}

static ptq_status save_one(exchange *x, const batch *b, int i, ptq_error *err)
{
    char *path = tensor_path(x, x->n_done + i);
    if (!path)
        return error_no_memory(err, strlen(x->dir), "a file name");
    const int64_t dims[4] = {1, 3, b->height, b->width};
    size_t image = (size_t)3 * (size_t)b->height * (size_t)b->width;
    ptq_status status = npy_write_f32(path, b->images + (size_t)i * image, 4, dims, err);
    str_addf(&x->index, "%s\n", path);
    mem_free(path);
    return status;
}

/* Output of one image behind those of the batch before it; the first decides the shape. */
static ptq_status append_rows(exchange *x, const npy_array *a, int i, predictions *out,
                              const char *path, ptq_error *err)
{
    bool fits = a->rank == 3 && a->dims[0] == 1 && a->dims[2] > 5 && a->dims[1] <= INT32_MAX &&
                a->dims[2] <= INT32_MAX;
    if (fits && i == 0) {
        out->n_rows = (int)a->dims[1];
        out->n_classes = (int)a->dims[2] - 5;
    }
    if (!fits || a->dims[1] != out->n_rows || a->dims[2] != out->n_classes + 5)
        return error_set(err, PTQ_SHAPE, "'%s' is not [1,rows,5+classes] like the one before it",
                         path);
    size_t need = (size_t)(i + 1) * a->count;
    if (need > x->rows_cap) {
        float *grown = mem_resize(x->rows, need, sizeof *grown);
        if (!grown)
            return error_no_memory(err, need * sizeof *grown, "outputs");
        x->rows = grown;
        x->rows_cap = need;
    }
    memcpy(x->rows + (size_t)i * a->count, a->data, a->count * sizeof *x->rows);
    return PTQ_OK;
}

static ptq_status read_one(exchange *x, int i, predictions *out, ptq_error *err)
{
    char *path = tensor_path(x, x->n_done + i);
    if (!path)
        return error_no_memory(err, strlen(x->dir), "a file name");
    npy_array a = {0};
    ptq_status status = npy_read_f32(path, 0, &a, err);
    if (status == PTQ_OK)
        status = append_rows(x, &a, i, out, path, err);
    npy_clear(&a);
    mem_free(path);
    return status;
}

ptq_status exchange_predict(void *user, const batch *b, predictions *out, ptq_error *err)
{
    exchange *x = user;
    for (int i = 0; i < b->n; i++)
        PTQ_TRY(x->inner ? save_one(x, b, i, err) : read_one(x, i, out, err));
    x->n_done += b->n;
    if (x->inner)
        return x->inner(x->inner_user, b, out, err);
    out->rows = x->rows;
    return PTQ_OK;
}

ptq_status exchange_finish(exchange *x, ptq_error *err)
{
    if (!x->inner)
        return PTQ_OK;
    char *path = path_join(x->dir, "index.txt");
    if (!path || !str_ok(&x->index)) {
        mem_free(path);
        return error_no_memory(err, x->index.len, "the index");
    }
    ptq_status status = file_write(path, str_text(&x->index), x->index.len, err);
    mem_free(path);
    return status;
}
