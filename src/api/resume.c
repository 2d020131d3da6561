/* SPDX-License-Identifier: Apache-2.0 */
#include "api/resume.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "api/reproduce.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "quant/fingerprint.h"
#include "quant/quant_plan.h"

/* Whether it is still the same file. */
typedef struct identity {
    int64_t device, number, bytes, seconds, nanoseconds;
} identity;

static bool identify(const char *path, identity *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    *out = (identity){(int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size,
                      (int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};
    return true;
}

void resume_note_file(tape *t, const char *what, const char *path)
{
    identity own;
    if (identify(path, &own))
        tape_keep(t, what, &own, sizeof own);
}

static bool was_written(const tape *t, const char *what, const char *path)
{
    identity now, then;
    return t && identify(path, &now) && tape_find(t, what, &then, sizeof then) &&
           now.device == then.device && now.number == then.number && now.bytes == then.bytes &&
           now.seconds == then.seconds && now.nanoseconds == then.nanoseconds;
}

static ptq_status check_places(const tape *t, const ptq_quantize_options *o, ptq_error *err)
{
    const char *config = o->quant.save_config;
    bool is_ours = was_written(t, RESUME_OUTPUT, o->output);
    PTQ_TRY(check_output(o->output, o->force || is_ours, err));
    if (!config)
        return PTQ_OK;
    return check_output(config, o->force || was_written(t, RESUME_CONFIG, config), err);
}

/* The results of pictures in memory, and of several processes, are not kept. */
static bool can_keep(const ptq_quantize_options *o, const ptq_env *env)
{
    return !o->quant.images && !file_is_special(o->output) && env_n_ranks(env) == 1;
}

ptq_status resume_open(const ptq_quantize_options *o, const ptq_env *env, tape **out,
                       ptq_error *err)
{
    tape *t = NULL;
    char *path;
    if (o->simulate)
        return o->quant.save_config ? check_output(o->quant.save_config, o->force, err) : PTQ_OK;
    PTQ_TRY(path_beside(o->output, "journal", &path, err));
    ptq_status status = PTQ_OK;
    if (!can_keep(o, env) || !file_exists(path))
        status = check_places(NULL, o, err);
    if (status == PTQ_OK && can_keep(o, env))
        status = tape_open(path, env, &t, err);
    if (status == PTQ_OK && t)
        status = check_places(t, o, err);
    mem_free(path);
    if (status == PTQ_OK)
        *out = t;
    else
        tape_close(t, false);
    return status;
}

/* ---------------------------------------------------------------- what results follow from */

static ptq_status add_plan(sha256 *h, const graph *g, const qplan *plan, ptq_error *err)
{
    json_t *list = quant_plan_write_json(g, plan);
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    if (!text)
        return error_no_memory(err, 0, "a plan's fingerprint");
    fingerprint_text(h, text);
    free(text); /* jansson's own allocation */
    return PTQ_OK;
}

ptq_status resume_bind(tape *t, const ptq_model *m, const ptq_quantize_options *o,
                       const qplan *plan, const ptq_env *env, ptq_error *err)
{
    sha256 h;
    char hex[65];
    if (!t)
        return PTQ_OK;
    char *command = reproduce_quantize(m->file->path, o);
    if (!command)
        return error_no_memory(err, 0, "a command");
    sha256_init(&h);
    fingerprint_text(&h, PTQ_VERSION);
    fingerprint_text(&h, command);
    mem_free(command);
    fingerprint_text(&h, env->cpu ? env->cpu : "");
    fingerprint_text(&h, env->without ? env->without : "");
    fingerprint_constants(&h, m->clean);
    PTQ_TRY(add_plan(&h, m->clean, plan, err));
    sha256_hex(&h, hex);
    return tape_bind(t, "run", hex) ? PTQ_OK : check_places(NULL, o, err);
}

void resume_bind_images(tape *t, const dataset *d)
{
    sha256 h;
    char hex[65];
    sha256_init(&h);
    fingerprint_images(&h, d);
    sha256_hex(&h, hex);
    (void)!tape_bind(t, "images", hex);
}

void resume_close(tape *t, ptq_status status, const ptq_env *env)
{
    if (status == PTQ_CANCELLED && tape_holds_results(t))
        env_log(env, PTQ_LOG_WARNING, "stopped; the same command goes on from what '%s' holds",
                tape_path(t));
    tape_close(t, status != PTQ_CANCELLED && status != PTQ_IO && status != PTQ_LIMIT);
}
