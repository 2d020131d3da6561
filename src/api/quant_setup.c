/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quant_setup.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "api/quantizer_api.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/memory_images.h"
#include "quant/calibrate.h"
#include "quant/code_plan.h"
#include "quant/config_write.h"
#include "quant/coverage.h"
#include "quant/fit.h"
#include "quant/group_range.h"
#include "quant/group_report.h"
#include "quant/image_pass.h"
#include "quant/pattern.h"
#include "quant/placement.h"

ptq_status quant_setup_open(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                            const quant_target *target, ptq_error *err)
{
    *s = (quant_setup){0};
    if (model_has_qdq(m))
        return error_set(err, PTQ_USAGE,
                         "'%s' has quantizers already; give the float model it was made from",
                         m->file->path);
    if (!(o->percentile > 0 && o->percentile <= 100))
        return error_set(err, PTQ_USAGE, "percentile %g is not in (0,100]", o->percentile);
    if (o->settings && o->config)
        return error_set(err, PTQ_USAGE, "settings come from a file or from an object, not both");
    if (!o->settings)
        PTQ_TRY(quant_config_load(o->config, &s->own_config, err));
    s->config = o->settings ? o->settings->config : s->own_config;
    quant_options_init(&s->options);
    descriptor d = descriptor_input(method_of_calib(o->calib), o->percentile);
    descriptor_apply(&d, &s->config->defaults.input);
    s->options.method = descriptor_method(&d);
    s->options.percentile = d.percentile;
    s->options.exclude = o->exclude;
    s->options.is_compat = o->compat_pytorch;
    bool shares = target && target->share_scales, residual = target && target->residual;
    s->options.share_scales = o->share_scales < 0 ? shares : o->share_scales > 0;
    s->options.residual = o->residual < 0 ? residual : o->residual > 0;
    s->options.overrule_share = o->share_scales >= 0;
    s->options.overrule_residual = o->residual >= 0;
    s->options.quantize_head = o->quantize_head;
    s->options.on_codes = target && target->on_codes;
    s->options.float_weights = o->float_weights || s->config->float_weights > 0;
    ptq_status status = quant_points_find(m->clean, s->config, &s->options, &s->points, err);
    if (status == PTQ_OK && target && target->on_codes)
        status = quant_setup_find_codes(s, m, err);
    if (status != PTQ_OK)
        quant_setup_close(s);
    return status;
}

ptq_status quant_setup_find_codes(quant_setup *s, const ptq_model *m, ptq_error *err)
{
    code_tensors_clear(&s->codes);
    return code_tensors_find(m->clean, &s->points, s->options.share_scales, &s->codes, err);
}

ptq_status quant_setup_resume(quant_setup *s, const char *output, ptq_error *err)
{
    if (!output || file_is_special(output))
        return PTQ_OK;
    return path_beside(output, "partial", &s->partial, err);
}

void quant_setup_done(quant_setup *s)
{
    if (s->partial)
        unlink(s->partial);
}

void quant_setup_close(quant_setup *s)
{
    quant_points_clear(&s->points);
    code_tensors_clear(&s->codes);
    quant_config_destroy(s->own_config);
    ranges_destroy(s->ranges);
    dataset_destroy(s->images);
    mem_free(s->partial);
    *s = (quant_setup){0};
}

/* 260 is what the reference procedure runs (26 batches of 10); see ptq.md §3. */
static int image_count(const ptq_quant_options *o)
{
    if (o->calib_images > 0)
        return o->calib_images;
    return o->compat_pytorch ? 260 : 300;
}

/* With exact histograms the batch size changes nothing. pytorch-quantization's bins take their
 * width from the first batch, so that it matters there: NVIDIA's yolov7_qat runs 10 images at a
 * time; the recorded references did so at 320 pixels and took 4 at 640. */
static int batch_size(const ptq_quant_options *o, int image_size)
{
    enum { MAX_PIXELS = 2000000 };
    if (o->calib_batch > 0)
        return o->calib_batch;
    bool small = 10 * image_size * image_size <= MAX_PIXELS;
    return o->compat_pytorch && small ? 10 : 4;
}

ptq_status quant_setup_images(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                              const ptq_data_options *data, const ptq_env *env, ptq_error *err)
{
    dataset_options d = {.split = data->split ? data->split : "train",
                         .data_root = data->root,
                         .limit = o->shuffle ? 0 : image_count(o),
                         .list_order = true,
                         .n_classes = m->file->n_classes,
                         .class_names = m->file->class_names};
    if (s->images)
        return PTQ_OK;
    if (o->images)
        return memory_images_open(o->images, d.limit, &s->images, err);
    return dataset_open(data->yaml, &d, env, &s->images, err);
}

/* No image is needed where every range is given; `layer`, else, is the first that has none. */
static ptq_status find_unknown_range(const quant_setup *s, const char **layer, ptq_error *err)
{
    *layer = fit_needed_by(&s->points);
    for (int i = 0; i < s->points.n && !*layer; i++) {
        const quant_point *p = &s->points.items[i], *leader;
        if (!quant_point_has_input(p))
            continue;
        PTQ_TRY(group_leader(&s->points, p->group, &leader, err));
        if (leader->input_desc.n_amax == 0)
            *layer = p->layer;
    }
    return PTQ_OK;
}

static ptq_status ranges_by_hand(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                                 ptq_error *err)
{
    const char *layer;
    code_plan_job codes = {.g = m->clean, .points = &s->points, .codes = &s->codes};
    const char *unknown = s->options.on_codes ? code_plan_unknown(&codes) : NULL;
    PTQ_TRY(find_unknown_range(s, &layer, err));
    if (unknown && !layer)
        return error_set(err, PTQ_USAGE,
                         "no calibration images, and no amax is given for tensor '%s': this target "
                         "computes on codes throughout, also in front of activations; give a data "
                         "set with --data, or ranges with --calib-from",
                         unknown);
    if (layer)
        return error_set(err, PTQ_USAGE,
                         "no calibration images, and no amax is given for the input of layer "
                         "'%s'; give a data set with --data, or ranges with --calib-from",
                         layer);
    return ranges_create(0, o->compat_pytorch, &s->ranges, err);
}

static ptq_status calibrate_images(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                                   const ptq_data_options *data, const ptq_env *env, ptq_error *err)
{
    if (!data->yaml && !o->images)
        return ranges_by_hand(s, m, o, err);
    calibrate_options c;
    calibrate_options_init(&c);
    c.is_compat = o->compat_pytorch;
    c.percentile = o->percentile;
    c.image_size = s->image_size;
    c.batch_size = batch_size(o, s->image_size);
    c.n_images = image_count(o);
    c.shuffle = o->shuffle;
    c.partial = o->images ? NULL : s->partial;
    PTQ_TRY(quant_setup_images(s, m, o, data, env, err));
    calibrate_job job = {
        .g = m->clean, .points = &s->points, .codes = &s->codes, .data = s->images};
    return calibrate(&job, &c, env, &s->ranges, err);
}

/* An expression that no layer's name fits is a slip, or meant for another model. */
static ptq_status warn_unmatched(const quant_setup *s, const ptq_quant_options *o,
                                 const ptq_env *env, ptq_error *err)
{
    for (int i = 0; o->exclude && o->exclude[i]; i++) {
        pattern *p;
        bool is_used = false;
        PTQ_TRY(pattern_compile(o->exclude[i], &p, err));
        for (int k = 0; k < s->points.n && !is_used; k++)
            is_used = pattern_matches(p, s->points.items[k].layer);
        pattern_destroy(p);
        if (!is_used)
            env_log(env, PTQ_LOG_WARNING,
                    "no layer's name begins like '%s': nothing is excluded by it ('ptq info MODEL "
                    "--quant' lists the layers)",
                    o->exclude[i]);
    }
    return PTQ_OK;
}

ptq_status quant_setup_ranges(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                              const ptq_data_options *data, api_call *call, ptq_error *err)
{
    s->image_size = model_image_size(m, data->image_size, &call->env);
    PTQ_TRY(warn_unmatched(s, o, &call->env, err));
    if (o->calib_from)
        PTQ_TRY(ranges_read(o->calib_from, &s->ranges, err));
    else
        PTQ_TRY(calibrate_images(s, m, o, data, &call->env, err));
    put_int(call->config, "imgsz", s->image_size);
    put_text(call->config, "calib", amax_method_name(s->options.method));
    put_int(call->config, "calib_images", s->ranges->n_images);
    put(call->result, "coverage", coverage_write_json(s->ranges, s->options.method));
    put_text(call->config, "data", data->yaml);
    put_bool(call->config, "compat_pytorch", s->ranges->is_compat);
    put_bool(call->config, "share_scales", s->options.share_scales);
    put_bool(call->config, "residual", s->options.residual);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- by hand */

ptq_status quant_setup_fit(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                           const ptq_data_options *data, api_call *call, ptq_error *err)
{
    const char *layer = fit_needed_by(&s->points);
    json_t *learned = NULL;
    if (!layer)
        return PTQ_OK;
    if (!data->yaml && !o->images)
        return error_set(err, PTQ_USAGE,
                         "layer '%s' has a range that only images tell (learn_amax, or an axis); "
                         "give a data set with --data",
                         layer);
    PTQ_TRY(quant_setup_images(s, m, o, data, &call->env, err));
    int fixed = image_pass_fixed_batch(m->clean);
    fit_job job = {.g = m->clean,
                   .points = &s->points,
                   .r = s->ranges,
                   .data = s->images,
                   .image_size = s->image_size,
                   .batch_size = fixed ? fixed : batch_size(o, s->image_size),
                   .n_images = image_count(o)};
    if (s->images->n_items < job.n_images)
        job.n_images = s->images->n_items;
    PTQ_TRY(fit_ranges(&job, &call->env, &learned, err));
    put(call->result, "learned", learned);
    return PTQ_OK;
}

static bool has_slices(const quant_points *points)
{
    for (int i = 0; i < points->n; i++)
        if (quant_point_has_input(&points->items[i]) && points->items[i].input_axes)
            return true;
    return false;
}

ptq_status quant_setup_copy(const quant_setup *s, const graph *from, graph **out, ptq_error *err)
{
    graph *g;
    PTQ_TRY(graph_copy(from, &g, err));
    shape input = graph_tensor_const(g, graph_input(g, 0))->shape;
    ptq_status status = PTQ_OK;
    if (has_slices(&s->points) && !shape_known(&input)) {
        shape sized = shape4(1, 3, s->image_size, s->image_size);
        status = graph_set_input_shape(g, &sized, err);
    }
    if (status == PTQ_OK)
        *out = g;
    else
        graph_destroy(g);
    return status;
}

static ptq_status save_config(const quant_setup *s, const ptq_model *m, const char *path,
                              const char *target, ptq_error *err)
{
    str title = STR_INIT, text = STR_INIT;
    str_addf(&title, "ptq %s: the quantizers of '%s' for %s", PTQ_VERSION, path_base(m->file->path),
             target);
    config_write_job job = {.g = m->clean,
                            .points = &s->points,
                            .config = s->config,
                            .options = &s->options,
                            .r = s->ranges,
                            .title = str_text(&title)};
    ptq_status status = config_write(&job, &text, err);
    if (status == PTQ_OK)
        status = file_write(path, str_text(&text), text.len, err);
    str_clear(&title);
    str_clear(&text);
    return status;
}

ptq_status quant_setup_report(const quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                              const quant_target *target, api_call *call, ptq_error *err)
{
    group_source source = {m->clean, &s->points, s->ranges};
    json_t *groups = NULL;
    bool on_codes = target && target->on_codes;
    if (s->ranges && !on_codes) {
        PTQ_TRY(placement_warn(&source, true, &call->env, err));
        PTQ_TRY(group_report(&source, &groups, err));
        put(call->result, "groups", groups);
    }
    if (!o->save_config)
        return PTQ_OK;
    put_text(call->result, "saved_config", o->save_config);
    return save_config(s, m, o->save_config, target ? target->name : "any target", err);
}
