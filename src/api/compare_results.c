/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq compare A.json B.json`: what two runs measured, side by side; refused where they measured
 * differently. */
#include <stdint.h>
#include <stdlib.h>

#include "api/report_files.h"

typedef struct side {
    const char *path;
    json_t *document;
    const json_t *protocol, *result;
} side;

/* Fields of protocol_json() that must agree. */
static const char *const FIELDS[] = {"data_hash", "images", "split",       "imgsz",
                                     "rect",      "batch",  "stride",      "pad",
                                     "conf",      "iou",    "single_class"};
enum { N_FIELDS = sizeof FIELDS / sizeof FIELDS[0] };

static ptq_status open_side(const char *path, side *s, ptq_error *err)
{
    *s = (side){.path = path};
    PTQ_TRY(report_read(path, &s->document, err));
    s->protocol = json_object_get(json_object_get(s->document, "config"), "protocol");
    s->result = json_object_get(s->document, "result");
    if (json_is_object(s->protocol))
        return PTQ_OK;
    return error_set(err, PTQ_DATA,
                     "'%s' does not say by which protocol its accuracy was measured; give what "
                     "'ptq eval', 'quantize' or 'compare' printed with --json",
                     path);
}

static ptq_status differ(const side s[2], const char *field, const json_t *const v[2],
                         ptq_error *err)
{
    char *texts[2];
    for (int i = 0; i < 2; i++)
        texts[i] = v[i] ? json_dumps(v[i], JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
    ptq_status status =
        error_set(err, PTQ_DATA,
                  "'%s' and '%s' were measured by different protocols: %s is %s in the first and "
                  "%s in the second; measure both alike",
                  s[0].path, s[1].path, field, texts[0] ? texts[0] : "not given",
                  texts[1] ? texts[1] : "not given");
    for (int i = 0; i < 2; i++)
        free(texts[i]); /* jansson's own allocation */
    return status;
}

static ptq_status check_protocols(const side s[2], ptq_error *err)
{
    for (int i = 0; i < N_FIELDS; i++) {
        const json_t *v[2] = {json_object_get(s[0].protocol, FIELDS[i]),
                              json_object_get(s[1].protocol, FIELDS[i])};
        if (!json_equal(v[0], v[1]) && (v[0] || v[1]))
            return differ(s, FIELDS[i], v, err);
    }
    return PTQ_OK;
}

static void add_row(json_t *models, const side *s, const char *name, const json_t *from)
{
    static const char *const copied[] = {"map50_95", "map50",      "precision", "recall",
                                         "fidelity", "latency_ms", "mib"};
    if (!json_is_number(json_object_get(from, "map50_95")))
        return;
    json_t *o = json_object();
    put(o, "path", name ? json_sprintf("%s: %s", s->path, name) : json_string(s->path));
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        put(o, copied[i], json_incref(json_object_get(from, copied[i])));
    json_array_append_new(models, o);
}

static void add_rows(json_t *models, const side *s)
{
    static const char *const rows[] = {"fp32", "bf16", "int8", "simulated"};
    const json_t *listed = json_object_get(s->result, "models");
    add_row(models, s, NULL, s->result);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_row(models, s, rows[i], json_object_get(s->result, rows[i]));
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const json_t *m = json_array_get(listed, i);
        add_row(models, s, json_string_value(json_object_get(m, "path")), m);
    }
}

static ptq_status compare_sides(api_call *call, const side s[2], ptq_error *err)
{
    PTQ_TRY(check_protocols(s, err));
    json_t *models = json_array();
    for (int i = 0; i < 2; i++)
        add_rows(models, &s[i]);
    put(call->result, "models", models);
    put(call->result, "protocol", json_incref(json_object_get(s[0].result, "protocol")));
    put(call->config, "protocol", json_incref((json_t *)(uintptr_t)s[0].protocol));
    return PTQ_OK;
}

ptq_status ptq_compare_results(const char *a, const char *b, const ptq_env *env, ptq_result **out,
                               ptq_error *err)
{
    api_call call;
    side s[2] = {{0}};
    if (!a || !b)
        return error_set(err, PTQ_USAGE, "two results are compared");
    PTQ_TRY(api_begin(&call, "compare", env, err));
    put_text(call.config, "input", a);
    put_text(call.config, "other", b);
    ptq_status status = open_side(a, &s[0], err);
    if (status == PTQ_OK)
        status = open_side(b, &s[1], err);
    if (status == PTQ_OK)
        status = compare_sides(&call, s, err);
    json_decref(s[0].document);
    json_decref(s[1].document);
    return api_end(&call, status, NULL, out, err);
}
