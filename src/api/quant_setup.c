/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quant_setup.h"

#include <math.h>

#include "data/dataset.h"
#include "quant/calibrate.h"

static amax_method method_of(ptq_calib calib)
{
    switch (calib) {
    case PTQ_CALIB_MAX:
        return AMAX_MAX;
    case PTQ_CALIB_PERCENTILE:
        return AMAX_PERCENTILE;
    case PTQ_CALIB_ENTROPY:
        return AMAX_ENTROPY;
    case PTQ_CALIB_MSE:
        break;
    }
    return AMAX_MSE;
}

ptq_status quant_setup_open(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                            const quant_target *target, ptq_error *err)
{
    *s = (quant_setup){0};
    if (m->file->has_qdq)
        return error_set(err, PTQ_USAGE,
                         "'%s' has quantizers already; give the float model it was made from",
                         m->file->path);
    if (!(o->percentile > 0 && o->percentile <= 100))
        return error_set(err, PTQ_USAGE, "percentile %g is not in (0,100]", o->percentile);
    PTQ_TRY(quant_config_load(o->config, &s->config, err));
    quant_options_init(&s->options);
    descriptor d = descriptor_input(method_of(o->calib), o->percentile);
    descriptor_apply(&d, &s->config->defaults.input);
    s->options.method = descriptor_method(&d);
    s->options.percentile = d.percentile;
    s->options.exclude = o->exclude;
    s->options.is_compat = o->compat_pytorch;
    bool shares = target && target->share_scales, residual = target && target->residual;
    s->options.share_scales = o->share_scales < 0 ? shares : o->share_scales > 0;
    s->options.residual = o->residual < 0 ? residual : o->residual > 0;
    s->options.quantize_head = o->quantize_head;
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

void quant_setup_close(quant_setup *s)
{
    quant_points_clear(&s->points);
    code_tensors_clear(&s->codes);
    quant_config_destroy(s->config);
    ranges_destroy(s->ranges);
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

static ptq_status calibrate_images(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                                   const ptq_data_options *data, const ptq_env *env, ptq_error *err)
{
    if (!data->yaml)
        return error_set(err, PTQ_USAGE,
                         "no calibration images; give a data set with --data, or ranges with "
                         "--calib-from");
    dataset_options d = {.split = data->split ? data->split : "train",
                         .data_root = data->root,
                         .limit = o->shuffle ? 0 : image_count(o),
                         .list_order = true};
    calibrate_options c;
    calibrate_options_init(&c);
    c.is_compat = o->compat_pytorch;
    c.percentile = o->percentile;
    c.image_size = s->image_size;
    c.batch_size = batch_size(o, s->image_size);
    c.n_images = image_count(o);
    c.shuffle = o->shuffle;
    dataset *images;
    PTQ_TRY(dataset_open(data->yaml, &d, env, &images, err));
    calibrate_job job = {.g = m->clean, .points = &s->points, .codes = &s->codes, .data = images};
    ptq_status status = calibrate(&job, &c, env, &s->ranges, err);
    dataset_destroy(images);
    return status;
}

ptq_status quant_setup_ranges(quant_setup *s, const ptq_model *m, const ptq_quant_options *o,
                              const ptq_data_options *data, api_call *call, ptq_error *err)
{
    s->image_size = model_image_size(m, data->image_size, &call->env);
    if (o->calib_from)
        PTQ_TRY(ranges_read(o->calib_from, &s->ranges, err));
    else
        PTQ_TRY(calibrate_images(s, m, o, data, &call->env, err));
    put_int(call->config, "imgsz", s->image_size);
    put_text(call->config, "calib", amax_method_name(s->options.method));
    put_int(call->config, "calib_images", s->ranges->n_images);
    put_text(call->config, "data", data->yaml);
    put_bool(call->config, "compat_pytorch", s->ranges->is_compat);
    put_bool(call->config, "share_scales", s->options.share_scales);
    put_bool(call->config, "residual", s->options.residual);
    return PTQ_OK;
}
