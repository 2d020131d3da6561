/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq calibrate`: one pass over the images, every method. */
#include <stdlib.h>
#include <string.h>

#include "api/option_defaults.h"
#include "api/quant_setup.h"
#include "base/file.h"
#include "quant/trt_cache.h"

void ptq_calibrate_options_init(ptq_calibrate_options *o)
{
    *o = (ptq_calibrate_options){.data = data_defaults("train"),
                                 .quant = quant_defaults(),
                                 .target = "tensorrt10",
                                 .trt_version = "10.3.0"};
}

static ptq_status write_ranges(const ranges *r, const char *path, ptq_error *err)
{
    json_t *document = ranges_write_json(r, true);
    char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (!text)
        return error_no_memory(err, 0, "the ranges file");
    ptq_status status = file_write(path, text, strlen(text), err);
    free(text); /* jansson's own allocation */
    return status;
}

static ptq_status write_cache(const quant_setup *s, const ptq_model *m,
                              const ptq_calibrate_options *o, api_call *call, ptq_error *err)
{
    int n = 0;
    trt_cache c = {
        .g = m->clean, .codes = &s->codes, .ranges = s->ranges, .method = s->options.method};
    PTQ_TRY(trt_cache_version(o->trt_version, &c.version, err));
    PTQ_TRY(trt_cache_write(&c, o->trt_cache, &n, err));
    put_text(call->result, "trt_cache", o->trt_cache);
    put_int(call->result, "trt_cache_tensors", n);
    return PTQ_OK;
}

static ptq_status calibrate_model(api_call *call, ptq_model *m, const ptq_calibrate_options *o,
                                  ptq_error *err)
{
    quant_setup s;
    ptq_status status = PTQ_OK;
    ptq_quant_options every = o->quant;
    every.quantize_head = true; /* to serve any later settings */
    PTQ_TRY(quant_setup_open(&s, m, &every, NULL, err));
    if (quant_target_find(o->target)->on_codes || o->trt_cache)
        status = quant_setup_find_codes(&s, m, err);
    if (status == PTQ_OK)
        status = quant_setup_resume(&s, o->output, err);
    if (status == PTQ_OK)
        status = quant_setup_ranges(&s, m, &o->quant, &o->data, call, err);
    bool is_writer = env_rank(&call->env) == 0;
    if (status == PTQ_OK && o->output && is_writer)
        status = write_ranges(s.ranges, o->output, err);
    if (status == PTQ_OK && o->trt_cache && is_writer)
        status = write_cache(&s, m, o, call, err);
    if (status == PTQ_OK)
        quant_setup_done(&s);
    if (status == PTQ_OK) {
        json_t *summary = ranges_write_json(s.ranges, false);
        json_object_update(call->result, summary);
        json_decref(summary);
        put_text(call->result, "output", o->output);
    }
    quant_setup_close(&s);
    return status;
}

ptq_status ptq_calibrate(ptq_model *m, const ptq_calibrate_options *o, const ptq_env *env,
                         ptq_result **out, ptq_error *err)
{
    const quant_target *target = quant_target_find(o->target);
    if (!target)
        return error_set(err, PTQ_USAGE, "there is no target '%s'", o->target);
    if (target->on_codes && o->quant.compat_pytorch)
        return error_set(err, PTQ_USAGE, "pytorch-quantization does not watch what %s needs",
                         target->name);
    int version;
    if (o->trt_cache) {
        PTQ_TRY(trt_cache_version(o->trt_version, &version, err));
        PTQ_TRY(check_output(o->trt_cache, o->force, err));
    }
    if (o->output)
        PTQ_TRY(check_output(o->output, o->force, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "calibrate", env, err));
    ptq_status status = calibrate_model(&call, m, o, err);
    return api_end(&call, status, m->file, out, err);
}
