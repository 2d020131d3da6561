/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/image_pass.h"

#include "base/env.h"
#include "engine/session.h"
#include "eval/pictures.h"
#include "passes/passes.h"

int image_pass_fixed_batch(const graph *g)
{
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    if (input->is_dynamic || input->shape.rank < 1 || input->shape.dim[0] < 1)
        return 0;
    return (int)input->shape.dim[0];
}

value_rows image_pass_rows(const tap_view *v)
{
    const shape *s = &v->shape;
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        n *= (size_t)s->dim[i];
    if (!v->channels_last || s->rank < 2 || s->dim[1] == 0)
        return (value_rows){v->data, 1, n, n};
    size_t channels = (size_t)s->dim[1];
    return (value_rows){v->data, n / channels, channels, v->pixel_stride};
}

static ptq_status open_session(const image_pass *p, const ptq_env *env, session **out,
                               ptq_error *err)
{
    cpu_level level;
    graph *lowered;
    int n_taps = 0;
    while (p->taps[n_taps])
        n_taps++;
    PTQ_TRY(cpu_level_parse(env ? env->cpu : NULL, &level, err));
    PTQ_TRY(graph_copy(p->g, &lowered, err));
    ptq_status st =
        pass_lower(lowered, &(lower_options){.precision = PRECISION_FP32, .keep = p->taps}, err);
    session_options options = {.threads = env_threads(env),
                               .level = level,
                               .taps = p->taps,
                               .n_taps = n_taps,
                               .max_engines = 2};
    if (st == PTQ_OK)
        st = session_create(lowered, &options, out, err);
    if (st == PTQ_OK)
        session_set_tap(*out, p->tap, p->user);
    graph_destroy(lowered);
    return st;
}

static ptq_status run_batch(const image_pass *p, session *s, const batch *b, int n, ptq_error *err)
{
    tensor_view input = {b->images, DTYPE_F32, shape4(n, 3, b->height, b->width)};
    if (p->before)
        PTQ_TRY(p->before(p->user, &input, err));
    PTQ_TRY(session_run(s, &input, 1, err));
    return p->after(p->user, err);
}

static ptq_status run_images(const image_pass *p, session *s, loader *l, const ptq_env *env,
                             int *n_done, ptq_error *err)
{
    int done = 0, fixed = image_pass_fixed_batch(p->g);
    int wanted = fixed ? p->n_images - p->n_images % fixed : p->n_images;
    if (wanted == 0)
        return error_set(err, PTQ_DATA, "'%s' has too few images: %d", p->data->yaml_path,
                         p->n_images);
    env_progress(env, p->what, 0, (size_t)wanted);
    while (done < wanted) {
        const batch *b;
        PTQ_TRY(env_check_cancel(env, err));
        PTQ_TRY(loader_next(l, &b, err));
        if (!b)
            break;
        int n = b->n < wanted - done ? b->n : wanted - done;
        PTQ_TRY(run_batch(p, s, b, n, err));
        done += n;
        env_progress(env, p->what, (size_t)done, (size_t)wanted);
    }
    *n_done = done;
    return PTQ_OK;
}

ptq_status image_pass_run(const image_pass *p, const ptq_env *env, int *n_done, ptq_error *err)
{
    loader_options options = {.image_size = p->image_size,
                              .batch_size = p->batch_size,
                              .stride = 32,
                              .form = pictures_of(p->g),
                              .threads = env_threads(env)};
    session *s = NULL;
    loader *l = NULL;
    ptq_status st = open_session(p, env, &s, err);
    if (st == PTQ_OK)
        st = loader_open(p->data, &options, env, &l, err);
    if (st == PTQ_OK)
        st = run_images(p, s, l, env, n_done, err);
    loader_close(l);
    session_destroy(s);
    return st;
}
