/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq eval`: mAP of a model on a data set. */
#include "api/agreement.h"
#include "api/exchange.h"
#include "api/measure.h"
#include "api/option_defaults.h"

void ptq_eval_options_init(ptq_eval_options *o)
{
    *o = (ptq_eval_options){.data = data_defaults("val"), .conf = 0.001, .iou = 0.65};
}

/* The session, watched or replaced by a folder of tensors. */
static ptq_status measure_exchanged(const protocol *p, const ptq_eval_options *o, session *s,
                                    const ptq_env *env, evaluation **out, ptq_error *err)
{
    session_predictor *predictor = NULL;
    exchange *x = NULL;
    PTQ_TRY(session_predictor_create(s, &predictor, err));
    ptq_status status;
    if (o->from_outputs)
        status = exchange_read(o->from_outputs, &x, err);
    else
        status = exchange_save(o->save_inputs, session_predict, predictor, &x, err);
    if (status == PTQ_OK)
        status = measure_with(p, exchange_predict, x, env, out, err);
    if (status == PTQ_OK)
        status = exchange_finish(x, err);
    exchange_destroy(x);
    session_predictor_destroy(predictor);
    return status;
}

static ptq_status eval_protocol(api_call *call, ptq_model *m, const ptq_eval_options *o,
                                const protocol *p, ptq_error *err)
{
    session_request request = {.graph = m->clean, .precision = o->precision, .detections = true};
    session *s;
    PTQ_TRY(api_session(&request, &call->env, &s, err));
    evaluation *e = NULL;
    ptq_status status;
    if (o->save_inputs || o->from_outputs)
        status = measure_exchanged(p, o, s, &call->env, &e, err);
    else
        status = measure_session(p, s, &call->env, &e, err);
    session_destroy(s);
    if (status != PTQ_OK)
        return status;
    char text[256];
    evaluation_json(e, o->per_class, call->result);
    put_text(call->result, "protocol", protocol_text(p, text, sizeof text));
    put_text(call->result, "saved_detections", o->save_detections);
    put(call->config, "protocol", protocol_json(p));
    put_text(call->config, "data", o->data.yaml);
    put_text(call->config, "split", o->data.split);
    put_int(call->config, "imgsz", p->image_size);
    put_int(call->config, "batch", p->options.batch);
    put_bool(call->config, "rect", p->options.rect);
    put_real(call->config, "conf", o->conf);
    put_real(call->config, "iou", o->iou);
    put_text(call->config, "family", model_family(m));
    put_text(call->config, "precision", precision_name(resolve_precision(m->clean, o->precision)));
    evaluation_destroy(e);
    return PTQ_OK;
}

ptq_status ptq_eval(ptq_model *m, const ptq_eval_options *o, const ptq_env *env, ptq_result **out,
                    ptq_error *err)
{
    if (o->save_inputs && o->from_outputs)
        return error_set(err, PTQ_USAGE, "inputs are saved, or outputs read; not both at once");
    if (!(o->conf >= 0 && o->conf < 1) || !(o->iou >= 0 && o->iou <= 1))
        return error_set(err, PTQ_USAGE, "conf and iou must lie between 0 and 1");
    PTQ_TRY(model_check_boxes(m, err));
    if (o->save_detections)
        PTQ_TRY(check_output(o->save_detections, o->force, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "eval", env, err));
    protocol p;
    ptq_status status = protocol_open(&p, &o->data, m, &call.env, err);
    if (status == PTQ_OK) {
        p.evaluator.conf = (float)o->conf;
        p.evaluator.iou = o->iou;
        p.evaluator.coco = o->coco;
        p.evaluator.save_detections = o->save_detections;
        status = eval_protocol(&call, m, o, &p, err);
        protocol_close(&p);
    }
    return api_end(&call, status, m->file, out, err);
}
