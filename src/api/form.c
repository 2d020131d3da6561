/* SPDX-License-Identifier: Apache-2.0 */
#include "api/form.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const HEADS[] = {
    [HEAD_DECODED] = "decoded", [HEAD_RAW] = "raw", [HEAD_NMS] = "nms"};
enum { N_HEADS = sizeof HEADS / sizeof *HEADS };

/* N_HEADS: no such head. */
static int head_of(const char *name)
{
    int i = 0;
    while (i < N_HEADS && strcmp(name, HEADS[i]) != 0)
        i++;
    return i;
}

ptq_form_options form_defaults(void)
{
    return (ptq_form_options){
        .batch = 1, .head = HEADS[HEAD_DECODED], .conf = 0.25, .iou = 0.45, .max_det = 100};
}

ptq_status form_check(const ptq_form_options *f, ptq_error *err)
{
    if (head_of(f->head) == N_HEADS)
        return error_set(err, PTQ_USAGE, "head '%s' is not known; use decoded, raw or nms",
                         f->head);
    if (f->batch == 0 || f->batch < -1)
        return error_set(err, PTQ_USAGE, "a batch of %d is impossible", f->batch);
    if (!(f->conf >= 0 && f->conf < 1) || !(f->iou >= 0 && f->iou <= 1) || f->max_det < 1)
        return error_set(err, PTQ_USAGE, "conf %g, iou %g and %d detections are no settings",
                         f->conf, f->iou, f->max_det);
    return PTQ_OK;
}

static void apply(const ptq_form_options *f, onnx_export_options *e, api_call *call)
{
    e->batch = f->batch;
    e->head = (head_form)head_of(f->head);
    e->nms = (nms_form){(float)f->conf, (float)f->iou, f->max_det};
    put_int(call->config, "batch", f->batch);
    put_text(call->config, "head", f->head);
    e->external_data = f->external_data;
    if (e->head != HEAD_NMS)
        return;
    put_real(call->config, "conf", f->conf);
    put_real(call->config, "iou", f->iou);
    put_int(call->config, "max_det", f->max_det);
}

/* {0: 'person', 1: 'it\\'s'}, as the exports of others say it; NULL when there are no names. */
static char *class_names(const model *m)
{
    str s = STR_INIT;
    if (!m->class_names || m->n_classes < 1)
        return NULL;
    for (int i = 0; i < m->n_classes; i++) {
        str_addf(&s, "%s%d: '", i ? ", " : "{", i);
        for (const char *p = m->class_names[i]; *p; p++) {
            if (*p == '\'' || *p == '\\')
                str_add(&s, "\\");
            str_add_n(&s, p, 1);
        }
        str_add(&s, "'");
    }
    str_add(&s, "}");
    return str_take(&s);
}

static void add_pair(char **list, size_t *n, const char *key, const char *value)
{
    if (!value)
        return;
    list[(*n)++] = mem_strdup(key);
    list[(*n)++] = mem_strdup(value);
}

static void free_metadata(char **list)
{
    for (char **p = list; p && *p; p++)
        mem_free(*p);
    mem_free(list);
}

static ptq_status make_metadata(const model *m, const char *const *more, char ***out,
                                ptq_error *err)
{
    size_t n_more = 0, n = 0;
    char nc[16], stride[16], *names = class_names(m);
    while (more && more[n_more])
        n_more++;
    char **list = mem_array(n_more + 11, sizeof *list);
    if (!list) {
        mem_free(names);
        return error_no_memory(err, n_more * sizeof *list, "metadata");
    }
    snprintf(nc, sizeof nc, "%d", m->n_classes);
    snprintf(stride, sizeof stride, "%d", m->stride);
    add_pair(list, &n, "ptq_version", PTQ_VERSION);
    add_pair(list, &n, "source_sha256", m->sha256);
    add_pair(list, &n, "names", names);
    add_pair(list, &n, "nc", m->n_classes > 0 ? nc : NULL);
    add_pair(list, &n, "stride", stride);
    for (size_t i = 0; i + 1 < n_more; i += 2)
        add_pair(list, &n, more[i], more[i + 1]);
    mem_free(names);
    for (size_t i = 0; i < n; i++)
        if (!list[i]) {
            for (size_t k = 0; k < n; k++)
                mem_free(list[k]);
            mem_free(list);
            return error_no_memory(err, 0, "metadata");
        }
    *out = list;
    return PTQ_OK;
}

static void put_file(const form_job *job, const onnx_export_options *e, int n_nodes, api_call *call)
{
    const tensor *t = graph_tensor_const(job->g, graph_input(job->g, 0));
    shape s = shape4(e->batch, t->shape.rank == 4 && t->shape.dim[1] > 0 ? t->shape.dim[1] : 3,
                     e->image_size, e->image_size);
    json_t *input = json_object();
    put_text(input, "name", t->name);
    put(input, "shape", shape_json(&s));
    put(call->result, "input", input);
    put_text(call->result, "output", job->path);
    put_bool(call->result, "external_data", e->external_data);
    put_int(call->result, "opset", e->opset);
    put_int(call->result, "nodes", n_nodes);
}

ptq_status form_write(const form_job *job, const onnx_export_options *options, api_call *call,
                      ptq_error *err)
{
    onnx_export_options e = *options;
    char **metadata = NULL;
    int n_nodes = 0;
    PTQ_TRY(make_metadata(job->source, job->metadata, &metadata, err));
    apply(job->form, &e, call);
    e.metadata = (const char *const *)metadata;
    ptq_status status = onnx_export(job->g, job->path, &e, &n_nodes, err);
    free_metadata(metadata);
    if (status == PTQ_OK)
        put_file(job, &e, n_nodes, call);
    return status;
}
