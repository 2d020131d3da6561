/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibration_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "quant/fingerprint.h"

enum { MAX_FILE_BYTES = 1 << 30, MAX_STEPS = 64 };

/* ---------------------------------------------------------------- fingerprint */

static ptq_status fingerprint(const calibration_state *s, const ranges *r, char hex[65],
                              ptq_error *err)
{
    sha256 h;
    str text = STR_INIT;
    const calibrate_options *o = s->options;
    sha256_init(&h);
    fingerprint_constants(&h, s->job->g);
    fingerprint_images(&h, s->job->data);
    for (int i = 0; i < r->n; i++)
        fingerprint_text(&h, r->items[i].name);
    str_addf(&text, "%d %.17g %d %d %d", o->is_compat, o->percentile, o->image_size, o->batch_size,
             o->n_images);
    bool is_ok = str_ok(&text);
    if (is_ok)
        fingerprint_text(&h, str_text(&text));
    str_clear(&text);
    sha256_hex(&h, hex);
    return is_ok ? PTQ_OK : error_no_memory(err, 0, "a calibration's state");
}

/* ---------------------------------------------------------------- writing */

static json_t *number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *coverage_json(const coverage *c)
{
    json_t *steps = json_array(), *before = json_array();
    for (int i = 0; i < c->r->n_steps; i++) {
        json_t *step = json_array();
        json_array_append_new(step, json_integer(c->r->steps[i].n_images));
        for (int m = 0; m < AMAX_METHODS; m++)
            json_array_append_new(step, number_or_null(c->r->steps[i].moved[m]));
        json_array_append_new(steps, step);
    }
    for (int i = 0; i < c->r->n * AMAX_METHODS; i++)
        json_array_append_new(before, json_real((double)c->before[i]));
    return json_pack("{s:i,s:i,s:o,s:o}", "seen", c->seen, "next", c->next, "steps", steps,
                     "before", before);
}

/* What a file of ranges says of a tensor besides its histogram; ranges are solved at the end. */
static void copy_facts(ranges *r)
{
    for (int i = 0; i < r->n; i++) {
        range_tensor *t = &r->items[i];
        t->n_values = t->values.n_values;
        t->low = t->values.low;
        t->high = t->values.high;
    }
}

ptq_status calibration_state_write(const calibration_state *s, const coverage *c, ptq_error *err)
{
    char hex[65];
    PTQ_TRY(fingerprint(s, c->r, hex, err));
    copy_facts(c->r);
    c->r->n_images = c->seen;
    json_t *doc = json_pack("{s:s,s:o,s:o}", "fingerprint", hex, "coverage", coverage_json(c),
                            "result", ranges_write_json(c->r, true));
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!text)
        return error_no_memory(err, 0, "a calibration's state");
    ptq_status status = file_write_soon(s->path, text, strlen(text), err);
    free(text); /* jansson's own allocation */
    return status;
}

/* ---------------------------------------------------------------- reading */

static bool read_step(const json_t *list, range_step *out)
{
    out->n_images = (int)json_integer_value(json_array_get(list, 0));
    for (int m = 0; m < AMAX_METHODS; m++) {
        const json_t *v = json_array_get(list, (size_t)m + 1);
        out->moved[m] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    return json_array_size(list) == AMAX_METHODS + 1;
}

static bool read_steps(const json_t *list, ranges *r)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > MAX_STEPS)
        return false;
    r->steps = mem_array(n, sizeof *r->steps);
    for (size_t i = 0; r->steps && i < n; i++)
        if (!read_step(json_array_get(list, i), &r->steps[i]))
            return false;
    r->n_steps = r->steps ? (int)n : 0;
    return r->steps != NULL;
}

static bool read_coverage(const json_t *o, coverage *c)
{
    json_int_t seen = json_integer_value(json_object_get(o, "seen"));
    json_int_t next = json_integer_value(json_object_get(o, "next"));
    const json_t *before = json_object_get(o, "before");
    size_t n = (size_t)c->r->n * AMAX_METHODS;
    if (seen < 1 || seen > INT32_MAX / 2 || next <= seen || next > 2 * seen ||
        json_array_size(before) != n || !read_steps(json_object_get(o, "steps"), c->r))
        return false;
    for (size_t i = 0; i < n; i++)
        c->before[i] = (float)json_number_value(json_array_get(before, i));
    c->seen = (int)seen;
    c->next = (int)next;
    return true;
}

static bool are_alike(const ranges *a, const ranges *b)
{
    bool alike = a->n == b->n && a->is_compat == b->is_compat;
    for (int i = 0; alike && i < a->n; i++)
        alike = b->items[i].has_histogram && strcmp(a->items[i].name, b->items[i].name) == 0;
    return alike;
}

/* The kept histograms become those of `c`. */
static bool adopt(coverage *c, ranges *kept, const json_t *state)
{
    if (!are_alike(c->r, kept) || !read_coverage(state, c))
        return false;
    for (int i = 0; i < kept->n; i++) {
        histogram fresh = c->r->items[i].values;
        c->r->items[i].values = kept->items[i].values;
        kept->items[i].values = fresh;
    }
    return true;
}

static ptq_status read_document(const calibration_state *s, json_t **out, ptq_error *err)
{
    char *text;
    size_t size;
    PTQ_TRY(file_read(s->path, MAX_FILE_BYTES, &text, &size, err));
    *out = json_loadb(text, size, 0, NULL);
    mem_free(text);
    return PTQ_OK;
}

ptq_status calibration_state_read(const calibration_state *s, coverage *c, int *n_done,
                                  const ptq_env *env, ptq_error *err)
{
    ranges *kept = NULL;
    json_t *doc = NULL;
    *n_done = 0;
    if (!s->path || !file_exists(s->path))
        return PTQ_OK;
    char hex[65];
    PTQ_TRY(fingerprint(s, c->r, hex, err));
    PTQ_TRY(read_document(s, &doc, err));
    const char *theirs = json_string_value(json_object_get(doc, "fingerprint"));
    bool fits = theirs && strcmp(theirs, hex) == 0 && ranges_read(s->path, &kept, NULL) == PTQ_OK &&
                adopt(c, kept, json_object_get(doc, "coverage"));
    if (fits) {
        *n_done = c->seen;
        env_log(env, PTQ_LOG_WARNING, "going on after the %d images that '%s' holds", *n_done,
                s->path);
    } else {
        env_log(env, PTQ_LOG_WARNING, "'%s' is of another calibration; beginning anew", s->path);
    }
    json_decref(doc);
    ranges_destroy(kept);
    return PTQ_OK;
}
