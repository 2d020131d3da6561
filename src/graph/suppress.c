/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression. How many boxes stay depends on their values, so it is done where these are
 * constants; a model that ends in one is read up to it (model/onnx_import_nms.c). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/graph_impl.h"
#include "graph/infer_rules.h"

enum { MAX_BOXES = 1 << 16 };

typedef struct job {
    const float *boxes;  /* [images, n, 4] */
    const float *scores; /* [images, classes, n] */
    int64_t images, classes, n, most;
    double iou, least;
    bool is_centre;
    int *kept; /* of one class */
    int64_t *rows, n_rows;
} job;

static bool has_input(const node *n, int i)
{
    return n->n_inputs > i && n->inputs[i] != TENSOR_NONE;
}

/* Corners of a box, whichever come first in the file. */
static void corners(const job *j, const float *box, double at[4])
{
    for (int i = 0; i < 2; i++) {
        double a = (double)box[i], b = (double)box[2 + i];
        at[i] = j->is_centre ? a - b / 2 : fmin(a, b);
        at[2 + i] = j->is_centre ? a + b / 2 : fmax(a, b);
    }
}

static double overlap(const job *j, const float *a, const float *b)
{
    double p[4], q[4];
    corners(j, a, p);
    corners(j, b, q);
    double w = fmin(p[2], q[2]) - fmax(p[0], q[0]), h = fmin(p[3], q[3]) - fmax(p[1], q[1]);
    if (w <= 0 || h <= 0)
        return 0;
    double all = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - w * h;
    return all > 0 ? w * h / all : 0;
}

/* The best box behind the last one looked at: lower scores, then later boxes. */
static int64_t next_best(const job *j, const float *scores, int64_t last)
{
    int64_t best = -1;
    for (int64_t i = 0; i < j->n; i++) {
        bool is_behind =
            last < 0 || scores[i] < scores[last] || (i > last && scores[i] == scores[last]);
        if (is_behind && (double)scores[i] > j->least && (best < 0 || scores[i] > scores[best]))
            best = i;
    }
    return best;
}

static void suppress_class(job *j, int64_t image, int64_t cls)
{
    const float *boxes = j->boxes + image * j->n * 4;
    const float *scores = j->scores + (image * j->classes + cls) * j->n;
    int64_t n_kept = 0;
    for (int64_t i = -1; n_kept < j->most && (i = next_best(j, scores, i)) >= 0;) {
        bool stays = true;
        for (int64_t k = 0; k < n_kept && stays; k++)
            stays = overlap(j, boxes + 4 * i, boxes + 4 * (int64_t)j->kept[k]) <= j->iou;
        if (!stays)
            continue;
        j->kept[n_kept++] = (int)i;
        memcpy(j->rows + 3 * j->n_rows++, (int64_t[]){image, cls, i}, 3 * sizeof *j->rows);
    }
}

static bool read_inputs(const graph *g, const node *n, job *j)
{
    double most = 0;
    j->least = -INFINITY;
    for (int i = 0; i < n->n_inputs; i++)
        if (has_input(n, i) && !graph_is_const(g, n->inputs[i]))
            return false;
    if ((has_input(n, 2) && !const_number(g, n->inputs[2], &most)) ||
        (has_input(n, 3) && !const_number(g, n->inputs[3], &j->iou)) ||
        (has_input(n, 4) && !const_number(g, n->inputs[4], &j->least)))
        return false;
    const tensor *boxes = &g->tensors[n->inputs[0]], *scores = &g->tensors[n->inputs[1]];
    if (boxes->type != DTYPE_F32 || scores->type != DTYPE_F32)
        return false;
    j->boxes = blob_data(boxes->data);
    j->scores = blob_data(scores->data);
    j->is_centre = n->attr.suppression.is_centre;
    j->most = most > (double)MAX_BOXES ? MAX_BOXES : most > 0 ? (int64_t)most : 0;
    return true;
}

ptq_status node_suppress(const graph *g, const node *n, int64_t **rows, int64_t *n_rows,
                         ptq_error *err)
{
    job j = {0};
    if (!read_inputs(g, n, &j))
        return error_set(err, PTQ_UNSUPPORTED,
                         "how many boxes it leaves is not known before it runs");
    const shape *b = &g->tensors[n->inputs[0]].shape, *s = &g->tensors[n->inputs[1]].shape;
    if (b->rank != 3 || s->rank != 3 || b->dim[0] != s->dim[0] || b->dim[1] != s->dim[2] ||
        b->dim[2] != 4 || b->dim[1] > MAX_BOXES)
        return error_set(err, PTQ_SHAPE, "boxes and scores do not fit each other");
    j.images = b->dim[0];
    j.classes = s->dim[1];
    j.n = b->dim[1];
    j.most = j.most < j.n ? j.most : j.n;
    size_t room;
    if (!mem_mul((size_t)(j.images * j.most), (size_t)j.classes, &room))
        return error_no_memory(err, SIZE_MAX, "boxes");
    j.kept = mem_array((size_t)j.most + 1, sizeof *j.kept);
    j.rows = mem_array(room + 1, 3 * sizeof *j.rows);
    bool ok = j.kept && j.rows;
    for (int64_t i = 0; ok && i < j.images; i++)
        for (int64_t c = 0; c < j.classes; c++)
            suppress_class(&j, i, c);
    mem_free(j.kept);
    if (!ok) {
        mem_free(j.rows);
        return error_no_memory(err, room * 3 * sizeof *j.rows, "boxes");
    }
    *rows = j.rows;
    *n_rows = j.n_rows;
    return PTQ_OK;
}

ptq_status infer_suppression(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    int64_t *rows, n_rows;
    PTQ_TRY(node_suppress(g, n, &rows, &n_rows, err));
    mem_free(rows);
    out->shape[0] = shape_make(2, (int64_t[]){n_rows, 3});
    out->type[0] = DTYPE_I64;
    return PTQ_OK;
}
