/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/sensitivity_journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "quant/fingerprint.h"

enum { MAX_FILE_BYTES = 64 << 20 };

/* ---------------------------------------------------------------- fingerprint */

static ptq_status add_options(sha256 *h, const sensitivity_options *o, ptq_error *err)
{
    str text = STR_INIT;
    const loader_options *l = &o->load;
    str_addf(&text, "%d %d %d %d %d %d %.9g %d ", (int)o->mode, (int)o->metric, o->by_block,
             l->image_size, l->batch_size, l->stride, l->pad, l->rect);
    str_addf(&text, "%.9g %.9g %d %.9g %d %d %d", (double)o->eval.conf, o->eval.iou,
             o->eval.max_det, o->confidence, o->n_draws, o->exhaustive, o->top);
    bool ok = str_ok(&text);
    if (ok)
        fingerprint_text(h, str_text(&text));
    str_clear(&text);
    return ok ? PTQ_OK : error_no_memory(err, 0, "a journal");
}

static ptq_status fingerprint(const sensitivity_job *job, const sensitivity_options *o,
                              char hex[65], ptq_error *err)
{
    sha256 h;
    sha256_init(&h);
    fingerprint_constants(&h, job->g);
    PTQ_TRY(add_options(&h, o, err));
    fingerprint_images(&h, job->data);
    json_t *plan = quant_plan_write_json(job->g, job->plan);
    char *text = plan ? json_dumps(plan, JSON_COMPACT) : NULL;
    json_decref(plan);
    if (!text)
        return error_no_memory(err, 0, "a journal");
    fingerprint_text(&h, text);
    free(text);
    sha256_hex(&h, hex);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the file */

static ptq_status adopt(journal *j, const json_t *doc, ptq_error *err)
{
    const char *theirs = json_string_value(json_object_get(doc, "fingerprint"));
    json_t *pieces = json_object_get(doc, "measured");
    if (!theirs || !json_is_object(pieces))
        return error_set(err, PTQ_FORMAT,
                         "'%s' is no journal of a ranking; name a file that is not there yet",
                         j->path);
    if (strcmp(theirs, j->fingerprint) != 0)
        return error_set(err, PTQ_USAGE,
                         "journal '%s' belongs to a ranking of another model, other images or "
                         "other options; delete it or choose another file",
                         j->path);
    json_decref(j->pieces);
    j->pieces = json_incref(pieces);
    return PTQ_OK;
}

static ptq_status read_file(journal *j, ptq_error *err)
{
    char *text;
    size_t size;
    json_error_t json_error;
    PTQ_TRY(file_read(j->path, MAX_FILE_BYTES, &text, &size, err));
    json_t *doc = json_loadb(text, size, 0, &json_error);
    mem_free(text);
    if (!doc)
        return error_set(err, PTQ_FORMAT, "cannot read journal '%s': line %d: %s", j->path,
                         json_error.line, json_error.text);
    ptq_status st = adopt(j, doc, err);
    json_decref(doc);
    return st;
}

static ptq_status open_file(journal *j, ptq_error *err)
{
    if (file_exists(j->path))
        return read_file(j, err);
    return j->is_reader ? PTQ_OK : file_check_writable(j->path, err);
}

ptq_status journal_open(journal *j, const sensitivity_job *job, const sensitivity_options *options,
                        ptq_error *err)
{
    *j = (journal){.path = options->journal,
                   .pieces = json_object(),
                   .is_reader = options->only_reads_journal};
    if (!j->pieces)
        return error_no_memory(err, 0, "a journal");
    ptq_status st = PTQ_OK;
    if (j->path && !j->is_reader)
        st = file_lock_take(&j->lock, j->path, err);
    if (st == PTQ_OK && j->path)
        st = fingerprint(job, options, j->fingerprint, err);
    if (st == PTQ_OK && j->path)
        st = open_file(j, err);
    if (st != PTQ_OK)
        journal_close(j);
    return st;
}

void journal_close(journal *j)
{
    json_decref(j->pieces);
    file_lock_release(&j->lock);
    *j = (journal){0};
}

const json_t *journal_find(const journal *j, const char *key)
{
    return json_object_get(j->pieces, key);
}

ptq_status journal_store(journal *j, const char *key, json_t *piece, ptq_error *err)
{
    if (!piece || json_object_set_new(j->pieces, key, piece) != 0)
        return error_no_memory(err, 0, "a journal");
    if (!j->path || j->is_reader)
        return PTQ_OK;
    json_t *doc = json_pack("{s:s,s:O}", "fingerprint", j->fingerprint, "measured", j->pieces);
    char *text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
    json_decref(doc);
    if (!text)
        return error_no_memory(err, 0, "a journal");
    ptq_status st = file_write(j->path, text, strlen(text), err);
    free(text);
    return st;
}
