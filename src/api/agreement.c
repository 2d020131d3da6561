/* SPDX-License-Identifier: Apache-2.0 */
#include "api/agreement.h"

#include "base/mem.h"

bool model_is_classifier(const ptq_model *m)
{
    const shape *s = &graph_tensor_const(m->clean, graph_output(m->clean, 0))->shape;
    bool is_flat = s->rank == 2 || (s->rank == 4 && s->dim[2] == 1 && s->dim[3] == 1);
    return graph_n_inputs(m->clean) == 1 && graph_n_outputs(m->clean) == 1 && is_flat &&
           s->dim[1] > 1;
}

ptq_status model_check_boxes(const ptq_model *m, ptq_error *err)
{
    if (!model_is_classifier(m))
        return PTQ_OK;
    return error_set(err, PTQ_UNSUPPORTED,
                     "'%s' is a classifier and gives no boxes; 'ptq quantize' judges it by top-1 "
                     "agreement with the float model",
                     m->file->path);
}

static int64_t best_class(const float *scores, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* One image at a time: its class. */
static ptq_status classify(session *s, const batch *b, int64_t *cls, ptq_error *err)
{
    tensor_view input = {b->images, DTYPE_F32, shape4(1, 3, b->height, b->width)};
    PTQ_TRY(session_run(s, &input, 1, err));
    tensor_view out = engine_output(session_engine(s), 0);
    if (out.type != DTYPE_F32 || out.shape.rank < 2 || out.shape.dim[0] != 1)
        return error_set(err, PTQ_UNSUPPORTED, "the output is not one row of scores per image");
    *cls = best_class(out.data, out.shape.dim[1]);
    return PTQ_OK;
}

ptq_status agreement_classify(const protocol *p, session *s, const ptq_env *env, int64_t *classes,
                              ptq_error *err)
{
    loader_options o = protocol_loader(p, env);
    loader *l;
    o.batch_size = 1;
    PTQ_TRY(loader_open(p->data, &o, env, &l, err));
    ptq_status status = PTQ_OK;
    for (int i = 0; i < p->data->n_items && status == PTQ_OK; i++) {
        const batch *b = NULL;
        status = env_check_cancel(env, err);
        if (status == PTQ_OK)
            status = loader_next(l, &b, err);
        if (status != PTQ_OK || !b)
            break;
        status = classify(s, b, &classes[b->places[0].item], err);
        env_progress(env, "classify", (size_t)i + 1, (size_t)p->data->n_items);
    }
    loader_close(l);
    return status;
}

double agreement_of(const int64_t *a, const int64_t *b, int n)
{
    int same = 0;
    for (int i = 0; i < n; i++)
        same += a[i] == b[i];
    return n ? (double)same / n : 1;
}
