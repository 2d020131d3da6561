/* SPDX-License-Identifier: Apache-2.0 */
#include "api/form.h"
#include "api/model_handle.h"
#include "api/result.h"

void ptq_export_options_init(ptq_export_options *o)
{
    *o = (ptq_export_options){.image_size = 640, .form = form_defaults()};
}

static ptq_status export_to(api_call *call, ptq_model *m, const ptq_export_options *o,
                            ptq_error *err)
{
    int size = model_image_size(m, o->image_size, &call->env);
    bool half = o->half || m->file->is_half;
    int opset = o->opset ? o->opset : half && m->file->has_qdq ? 19 : 13;
    onnx_export_options e = {.opset = opset, .half = half, .image_size = size};
    graph *plain = NULL;
    if (o->remove_quantizers)
        PTQ_TRY(model_float_graph(m, &plain, err));
    else
        PTQ_TRY(inserted_check_file(m, err));
    form_job job = {
        .source = m->file, .g = plain ? plain : m->clean, .path = o->output, .form = &o->form};
    ptq_status status = form_write(&job, &e, call, err);
    graph_destroy(plain);
    PTQ_TRY(status);
    put_int(call->config, "imgsz", size);
    put_bool(call->config, "half", half);
    return PTQ_OK;
}

ptq_status ptq_export(ptq_model *m, const ptq_export_options *o, const ptq_env *env,
                      ptq_result **out, ptq_error *err)
{
    if (!o->output)
        return error_set(err, PTQ_USAGE, "no output file given");
    PTQ_TRY(form_check(&o->form, err));
    PTQ_TRY(check_output(o->output, o->force, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "export", env, err));
    ptq_status status = export_to(&call, m, o, err);
    return api_end(&call, status, m->file, out, err);
}
