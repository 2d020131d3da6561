/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/evaluate.h"

#include <string.h>

#include "base/mem.h"

struct session_predictor {
    session *s;
    int fixed_batch; /* 0: any */
    float *padded;   /* the last images and zeros, when they do not fill the fixed batch */
    size_t padded_cap;
    float *rows; /* gathered from several runs */
    size_t rows_cap;
};

ptq_status session_predictor_create(session *s, session_predictor **out, ptq_error *err)
{
    const graph *g = session_graph(s);
    if (graph_n_inputs(g) != 1)
        return error_set(err, PTQ_UNSUPPORTED,
                         "the model has %d inputs; only models of one image input can be evaluated",
                         graph_n_inputs(g));
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    if (input->type != DTYPE_F32 || input->shape.rank != 4)
        return error_set(err, PTQ_UNSUPPORTED,
                         "input '%s' is not a batch of float32 images [N,3,H,W]", input->name);
    session_predictor *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "a session");
    p->s = s;
    p->fixed_batch = input->is_dynamic ? 0 : (int)input->shape.dim[0];
    *out = p;
    return PTQ_OK;
}

void session_predictor_destroy(session_predictor *p)
{
    if (!p)
        return;
    mem_free(p->padded);
    mem_free(p->rows);
    mem_free(p);
}

/* Runs n images and finds the decoded output. */
static ptq_status run(session_predictor *p, const batch *b, float *images, int n, tensor_view *out,
                      ptq_error *err)
{
    tensor_view input = {images, DTYPE_F32, shape4(n, 3, b->height, b->width)};
    PTQ_TRY(session_run(p->s, &input, 1, err));
    int n_outputs = graph_n_outputs(session_graph(p->s));
    for (int i = 0; i < n_outputs; i++) {
        tensor_view v = engine_output(session_engine(p->s), i);
        if (v.type == DTYPE_F32 && v.shape.rank == 3 && v.shape.dim[0] == n && v.shape.dim[2] > 5 &&
            v.shape.dim[1] <= INT32_MAX && v.shape.dim[2] <= INT32_MAX) {
            *out = v;
            return PTQ_OK;
        }
    }
    return error_set(err, PTQ_UNSUPPORTED,
                     "no output is a list of decoded boxes [N,rows,5+classes]; export the model "
                     "with its decode");
}

/* The images from `first` on, and zeros to fill up the fixed batch. */
static ptq_status pad_images(session_predictor *p, const batch *b, int first, ptq_error *err)
{
    size_t image = 3 * (size_t)b->height * (size_t)b->width;
    size_t n = (size_t)p->fixed_batch * image, used = (size_t)(b->n - first) * image;
    float *padded = mem_grow(p->padded, &p->padded_cap, n, sizeof *padded);
    if (!padded)
        return error_no_memory(err, n * sizeof *padded, "a batch");
    p->padded = padded;
    memcpy(padded, b->images + (size_t)first * image, used * sizeof *padded);
    memset(padded + used, 0, (n - used) * sizeof *padded);
    return PTQ_OK;
}

static ptq_status gather(session_predictor *p, const batch *b, predictions *out, ptq_error *err)
{
    size_t image = 3 * (size_t)b->height * (size_t)b->width, n_values = 0;
    tensor_view v = {0};
    for (int first = 0; first < b->n; first += p->fixed_batch) {
        float *images = b->images + (size_t)first * image;
        int n = p->fixed_batch;
        if (b->n - first < n) {
            PTQ_TRY(pad_images(p, b, first, err));
            images = p->padded;
            n = b->n - first;
        }
        PTQ_TRY(run(p, b, images, p->fixed_batch, &v, err));
        n_values = (size_t)v.shape.dim[1] * (size_t)v.shape.dim[2];
        float *rows = mem_grow(p->rows, &p->rows_cap, (size_t)b->n * n_values, sizeof *rows);
        if (!rows)
            return error_no_memory(err, (size_t)b->n * n_values * sizeof *rows, "predictions");
        p->rows = rows;
        memcpy(rows + (size_t)first * n_values, v.data, (size_t)n * n_values * sizeof *rows);
    }
    *out = (predictions){p->rows, (int)v.shape.dim[1], (int)v.shape.dim[2] - 5};
    return PTQ_OK;
}

ptq_status session_predict(void *user, const batch *b, predictions *out, ptq_error *err)
{
    session_predictor *p = user;
    if (p->fixed_batch > 0 && p->fixed_batch != b->n)
        return gather(p, b, out, err);
    tensor_view v;
    PTQ_TRY(run(p, b, b->images, b->n, &v, err));
    *out = (predictions){v.data, (int)v.shape.dim[1], (int)v.shape.dim[2] - 5};
    return PTQ_OK;
}
