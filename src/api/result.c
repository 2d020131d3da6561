/* SPDX-License-Identifier: Apache-2.0 */
#include "api/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "report/text.h"

struct ptq_result {
    json_t *document;
    char *json;
    char *text;
    ptq_status verdict;
};

static void collect_log(void *user, ptq_log_level level, const char *message)
{
    api_call *call = user;
    if (level == PTQ_LOG_WARNING)
        json_array_append_new(call->warnings, json_string(message));
    if (call->caller && call->caller->log)
        call->caller->log(call->caller->user, level, message);
}

static void forward_progress(void *user, const char *what, size_t done, size_t total)
{
    const api_call *call = user;
    env_progress(call->caller, what, done, total);
}

static void release(api_call *call)
{
    json_decref(call->config);
    json_decref(call->result);
    json_decref(call->warnings);
    call->config = call->result = call->warnings = NULL;
}

ptq_status api_begin(api_call *call, const char *command, const ptq_env *env, ptq_error *err)
{
    *call = (api_call){.command = command, .caller = env, .verdict = PTQ_OK};
    if (env)
        call->env = *env;
    call->env.threads = env_threads(env);
    call->env.log = collect_log;
    call->env.progress = forward_progress;
    call->env.user = call;
    call->config = json_object();
    call->result = json_object();
    call->warnings = json_array();
    call->started_ms = clock_ms();
    if (call->config && call->result && call->warnings)
        return PTQ_OK;
    release(call);
    return error_no_memory(err, 0, "a result");
}

static json_t *model_json(const model *m)
{
    json_t *o = json_object();
    put_text(o, "path", m->path);
    put_text(o, "sha256", m->sha256);
    put_text(o, "format", m->format == MODEL_PT ? "pt" : "onnx");
    put_real(o, "mib", (double)m->file_bytes / 1048576.0);
    return o;
}

static json_t *environment_json(const ptq_env *env)
{
    json_t *o = json_object();
    char name[128];
    cpu_level level = CPU_REF;
    if (cpu_level_parse(env->cpu, &level, NULL) != PTQ_OK)
        level = CPU_REF;
    put_text(o, "cpu", cpu_model_name(name, sizeof name));
    put_text(o, "isa", cpu_level_name(level));
    put_int(o, "threads", env->threads);
    put_int(o, "seed", (int64_t)env->seed);
    put_text(o, "version", PTQ_VERSION);
    put_text(o, "compiler", __VERSION__);
    return o;
}

static json_t *document_of(const api_call *call, const model *m)
{
    json_t *o = json_object();
    put_int(o, "schema", 1);
    put_text(o, "command", call->command);
    put(o, "model", m ? model_json(m) : json_null());
    put(o, "config", json_incref(call->config));
    put(o, "environment", environment_json(&call->env));
    put(o, "result", json_incref(call->result));
    put(o, "warnings", json_incref(call->warnings));
    put_real(o, "elapsed_ms", clock_ms() - call->started_ms);
    return o;
}

ptq_status api_end(api_call *call, ptq_status status, const model *m, ptq_result **out,
                   ptq_error *err)
{
    if (status != PTQ_OK) {
        release(call);
        return status;
    }
    ptq_result *r = mem_zalloc(sizeof *r);
    if (r) {
        r->verdict = call->verdict;
        r->document = document_of(call, m);
        r->json = r->document ? json_dumps(r->document, JSON_INDENT(1)) : NULL;
        r->text = report_text(call->command, r->document, 100);
    }
    release(call);
    if (!r || !r->json || !r->text) {
        ptq_result_destroy(r);
        return error_no_memory(err, 0, "a result");
    }
    *out = r;
    return PTQ_OK;
}

void ptq_result_destroy(ptq_result *r)
{
    if (!r)
        return;
    json_decref(r->document);
    free(r->json); /* jansson's own allocation */
    mem_free(r->text);
    mem_free(r);
}

const char *ptq_result_json(const ptq_result *r)
{
    return r->json;
}

const char *ptq_result_text_fit(ptq_result *r, int columns)
{
    const char *command = json_string_value(json_object_get(r->document, "command"));
    char *text = columns > 0 ? report_text_fit(command, r->document, columns) : NULL;
    if (!text)
        return r->text;
    mem_free(r->text);
    return r->text = text;
}

const char *ptq_result_text(const ptq_result *r)
{
    return r->text;
}

ptq_status ptq_result_verdict(const ptq_result *r)
{
    return r->verdict;
}

/* Inside "result" by dotted path; NULL: not there. */
static const json_t *find(const ptq_result *r, const char *path)
{
    const json_t *at = json_object_get(r->document, "result");
    while (*path && at) {
        char key[128];
        size_t n = strcspn(path, ".");
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        if (json_is_array(at))
            at = json_array_get(at, (size_t)strtoul(key, NULL, 10));
        else
            at = json_object_get(at, key);
        path += n + (path[n] == '.');
    }
    return at;
}

bool ptq_result_number(const ptq_result *r, const char *path, double *value)
{
    const json_t *at = find(r, path);
    if (!json_is_number(at))
        return false;
    *value = json_number_value(at);
    return true;
}

const char *ptq_result_string(const ptq_result *r, const char *path)
{
    return json_string_value(find(r, path));
}

void put(json_t *object, const char *key, json_t *value)
{
    if (object)
        json_object_set_new(object, key, value);
    else
        json_decref(value);
}

void put_real(json_t *object, const char *key, double value)
{
    put(object, key, isfinite(value) ? json_real(value) : json_null());
}

void put_int(json_t *object, const char *key, int64_t value)
{
    put(object, key, json_integer(value));
}

void put_bool(json_t *object, const char *key, bool value)
{
    put(object, key, json_boolean(value));
}

void put_text(json_t *object, const char *key, const char *value)
{
    json_t *text = value ? json_string(value) : json_null();
    put(object, key, text ? text : json_string("(not UTF-8)"));
}

json_t *shape_json(const shape *s)
{
    json_t *a = json_array();
    for (int i = 0; i < s->rank; i++)
        json_array_append_new(a, json_integer(s->dim[i]));
    return a;
}
