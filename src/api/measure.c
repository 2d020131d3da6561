/* SPDX-License-Identifier: Apache-2.0 */
#include "api/measure.h"

#include <stdio.h>

#include "api/score_json.h"
#include "data/dataset_hash.h"
#include "eval/lanes.h"
#include "eval/pictures.h"

static ptq_status check_classes(const protocol *p, const ptq_model *m, ptq_error *err)
{
    int own = m->file->n_classes;
    if (own == 0 || own == p->data->n_classes || p->options.single_class)
        return PTQ_OK;
    return error_set(
        err, PTQ_DATA,
        "'%s' detects %d classes but '%s' names %d; use the data set it was trained for",
        m->file->path, own, p->options.yaml, p->data->n_classes);
}

static ptq_status check_input(const ptq_model *m, ptq_error *err)
{
    const shape *s = &graph_tensor_const(m->clean, graph_input(m->clean, 0))->shape;
    if (s->rank == 4 && s->dim[2] == s->dim[3])
        return PTQ_OK;
    return error_set(err, PTQ_UNSUPPORTED,
                     "'%s' has a fixed input that is no square; export it with a square one",
                     m->file->path);
}

ptq_status protocol_open(protocol *p, const ptq_data_options *options, const ptq_model *m,
                         const ptq_env *env, ptq_error *err)
{
    *p = (protocol){.options = *options, .is_static = model_is_static(m)};
    if (!options->yaml)
        return error_set(err, PTQ_USAGE, "no data set given; name its yaml with --data");
    p->image_size = model_image_size(m, options->image_size, env);
    p->evaluator = evaluator_options_default();
    p->evaluator.single_class = options->single_class;
    p->evaluator.annotations = options->annotations;
    p->pictures = pictures_of(m->clean);
    if (p->is_static) {
        PTQ_TRY(check_input(m, err));
        p->options.rect = false;
    }
    dataset_options d = {.split = options->split,
                         .data_root = options->root,
                         .limit = options->limit,
                         .single_class = options->single_class,
                         .need_labels = !options->unlabelled,
                         .n_classes = m->file->n_classes,
                         .class_names = m->file->class_names};
    PTQ_TRY(dataset_open(options->yaml, &d, env, &p->data, err));
    ptq_status status = check_classes(p, m, err);
    if (status != PTQ_OK)
        protocol_close(p);
    return status;
}

void protocol_close(protocol *p)
{
    dataset_destroy(p->data);
    p->data = NULL;
}

const char *protocol_text(const protocol *p, char *text, size_t size)
{
    char shapes[64];
    if (p->options.rect)
        snprintf(shapes, sizeof shapes, "rectangular batches of %d at %d", p->options.batch,
                 p->image_size);
    else
        snprintf(shapes, sizeof shapes, "%dx%d squares", p->image_size, p->image_size);
    snprintf(text, size, "%d images of '%s', %s, conf %g, IoU %g", p->data->n_items,
             p->options.split, shapes, (double)p->evaluator.conf, p->evaluator.iou);
    return text;
}

json_t *protocol_json(const protocol *p)
{
    json_t *o = json_object();
    char hex[DATASET_HASH_SIZE];
    dataset_hash(p->data, hex);
    put_text(o, "data_hash", hex);
    put_int(o, "images", p->data->n_items);
    put_text(o, "split", p->options.split);
    put_int(o, "imgsz", p->image_size);
    put_bool(o, "rect", p->options.rect);
    if (p->options.rect) { /* of squares the batches do not matter */
        put_int(o, "batch", p->options.batch);
        put_int(o, "stride", p->options.stride);
        put_real(o, "pad", p->options.pad);
    }
    put_real(o, "conf", (double)p->evaluator.conf);
    put_real(o, "iou", p->evaluator.iou);
    put_bool(o, "single_class", p->options.single_class);
    return o;
}

loader_options protocol_loader(const protocol *p, const ptq_env *env)
{
    return (loader_options){.image_size = p->image_size,
                            .batch_size = p->options.batch,
                            .stride = p->options.stride,
                            .pad = p->options.pad,
                            .rect = p->options.rect,
                            .form = p->pictures,
                            .threads = env_threads(env)};
}

ptq_status measure_with(const protocol *p, predict_fn *predict, void *user, const ptq_env *env,
                        evaluation **out, ptq_error *err)
{
    loader_options o = protocol_loader(p, env);
    loader *l;
    PTQ_TRY(loader_open(p->data, &o, env, &l, err));
    evaluate_input in = {
        .data = p->data, .loader = l, .predict = predict, .user = user, .kept = p->kept};
    ptq_status status = evaluate(&in, &p->evaluator, env, out, err);
    loader_close(l);
    return status;
}

ptq_status measure_session(const protocol *p, session *s, const ptq_env *env, evaluation **out,
                           ptq_error *err)
{
    if (lanes_fit(s)) {
        loader_options pictures = protocol_loader(p, env);
        lanes_input in = {p->data, &pictures, s, p->kept};
        return evaluate_in_lanes(&in, &p->evaluator, env, out, err);
    }
    session_predictor *predictor;
    PTQ_TRY(session_predictor_create(s, &predictor, err));
    ptq_status status = measure_with(p, session_predict, predictor, env, out, err);
    session_predictor_destroy(predictor);
    return status;
}

static json_t *class_json(const class_score *c)
{
    json_t *o = json_object();
    put_text(o, "name", c->name);
    put_int(o, "class", c->cls);
    put_int(o, "images", c->images);
    put_int(o, "labels", c->labels);
    put_real(o, "precision", c->precision);
    put_real(o, "recall", c->recall);
    put_real(o, "map50", c->map50);
    put_real(o, "map50_95", c->map50_95);
    return o;
}

void evaluation_json(const evaluation *e, bool per_class, json_t *result)
{
    put_int(result, "images", e->images);
    put_int(result, "labels", e->labels);
    put_int(result, "detections", (int64_t)e->records.n_dets);
    put_real(result, "precision", e->precision);
    put_real(result, "recall", e->recall);
    put_real(result, "confidence", e->confidence);
    put_real(result, "map50", e->map50);
    put_real(result, "map50_95", e->map50_95);
    json_t *speed = json_object();
    put_real(speed, "preprocess", e->preprocess_ms);
    put_real(speed, "inference", e->inference_ms);
    put_real(speed, "nms", e->nms_ms);
    put(result, "speed_ms", speed);
    if (per_class) {
        json_t *classes = json_array();
        for (int i = 0; i < e->n_classes; i++)
            json_array_append_new(classes, class_json(&e->classes[i]));
        put(result, "per_class", classes);
    }
    if (e->has_coco) {
        put(result, "coco", coco_json(&e->coco));
        put_bool(result, "coco_from_labels", e->coco_from_labels);
    }
}
