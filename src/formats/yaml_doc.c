/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/yaml_doc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strmap.h"

struct yaml_doc {
    arena *arena;
    const char *name;
    const yaml_value *root;
};

typedef struct reader {
    yaml_parser_t parser;
    yaml_doc *doc;
    int n_nodes;
    int depth;
    ptq_error *err;
} reader;

/* Children of the collection being read, in memory that grows. */
typedef struct children {
    const char **keys; /* NULL for a sequence */
    const yaml_value **items;
    int n;
    int cap;
} children;

static ptq_status fail_at(const reader *r, const yaml_mark_t *mark, const char *what)
{
    return error_set(r->err, PTQ_FORMAT, "'%s' line %zu: %s", r->doc->name, mark->line + 1, what);
}

static ptq_status no_memory(const reader *r)
{
    return error_set(r->err, PTQ_LIMIT, "out of memory reading '%s'", r->doc->name);
}

static ptq_status next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return PTQ_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return no_memory(r);
    const char *problem = r->parser.problem ? r->parser.problem : "malformed YAML";
    return fail_at(r, &r->parser.problem_mark, problem);
}

static ptq_status value_create(reader *r, const yaml_mark_t *mark, yaml_kind kind, yaml_value **out)
{
    if (++r->n_nodes > YAML_DOC_MAX_NODES)
        return error_set(r->err, PTQ_LIMIT, "'%s' has more than %d values", r->doc->name,
                         YAML_DOC_MAX_NODES);
    yaml_value *v = arena_alloc(r->doc->arena, 1, sizeof *v);
    if (!v)
        return no_memory(r);
    v->kind = kind;
    v->line = (int)mark->line + 1;
    *out = v;
    return PTQ_OK;
}

static ptq_status read_scalar(reader *r, const yaml_event_t *event, const yaml_value **out)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length))
        return fail_at(r, &event->start_mark, "a text contains a NUL character");
    yaml_value *v;
    PTQ_TRY(value_create(r, &event->start_mark, YAML_SCALAR, &v));
    v->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    v->text = arena_strndup(r->doc->arena, text, length);
    if (!v->text)
        return no_memory(r);
    *out = v;
    return PTQ_OK;
}

static bool children_add(children *c, const char *key, const yaml_value *item)
{
    if (c->n == c->cap) {
        int cap = c->cap ? 2 * c->cap : 8;
        const char **keys = mem_resize(c->keys, (size_t)cap, sizeof *keys);
        if (keys)
            c->keys = keys;
        const yaml_value **items = mem_resize(c->items, (size_t)cap, sizeof *items);
        if (items)
            c->items = items;
        if (!keys || !items)
            return false;
        c->cap = cap;
    }
    c->keys[c->n] = key;
    c->items[c->n++] = item;
    return true;
}

static ptq_status check_keys(const reader *r, const children *c)
{
    ptq_status status = PTQ_OK;
    strmap *seen = strmap_create();
    if (!seen)
        return no_memory(r);
    for (int i = 0; i < c->n && status == PTQ_OK; i++) {
        int64_t first;
        if (strmap_get(seen, c->keys[i], &first))
            status = error_set(r->err, PTQ_FORMAT, "'%s' line %d: the key '%s' is there already",
                               r->doc->name, c->items[i]->line, c->keys[i]);
        else if (!strmap_put(seen, c->keys[i], i))
            status = no_memory(r);
    }
    strmap_destroy(seen);
    return status;
}

static ptq_status read_value(reader *r, const yaml_event_t *event, const yaml_value **out);

static ptq_status read_next_value(reader *r, const yaml_value **out)
{
    yaml_event_t event;
    PTQ_TRY(next_event(r, &event));
    ptq_status status = read_value(r, &event, out);
    yaml_event_delete(&event);
    return status;
}

/* One item, or key and value; *done at the end of the collection. */
static ptq_status read_child(reader *r, bool is_mapping, children *c, bool *done)
{
    yaml_event_t event;
    PTQ_TRY(next_event(r, &event));
    const yaml_value *key = NULL, *item = NULL;
    ptq_status status = PTQ_OK;
    *done = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    if (!*done && is_mapping && event.type != YAML_SCALAR_EVENT)
        status = fail_at(r, &event.start_mark, "a key must be a text or a number");
    else if (!*done)
        status = read_value(r, &event, is_mapping ? &key : &item);
    yaml_event_delete(&event);
    if (*done || status != PTQ_OK)
        return status;
    if (is_mapping)
        PTQ_TRY(read_next_value(r, &item));
    return children_add(c, key ? key->text : NULL, item) ? PTQ_OK : no_memory(r);
}

/* Copies the children into the arena. */
static ptq_status keep_children(const reader *r, const children *c, yaml_value *v)
{
    size_t n = (size_t)c->n;
    v->n = c->n;
    if (n == 0)
        return PTQ_OK;
    v->items = arena_alloc(r->doc->arena, n, sizeof *v->items);
    if (!v->items)
        return no_memory(r);
    memcpy(v->items, c->items, n * sizeof *v->items);
    if (v->kind == YAML_SEQUENCE)
        return PTQ_OK;
    PTQ_TRY(check_keys(r, c));
    v->keys = arena_alloc(r->doc->arena, n, sizeof *v->keys);
    if (!v->keys)
        return no_memory(r);
    memcpy(v->keys, c->keys, n * sizeof *v->keys);
    return PTQ_OK;
}

static ptq_status read_collection(reader *r, const yaml_event_t *event, const yaml_value **out)
{
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    if (r->depth == YAML_DOC_MAX_DEPTH)
        return fail_at(r, &event->start_mark, "nested too deeply");
    r->depth++;
    yaml_value *v;
    PTQ_TRY(value_create(r, &event->start_mark, is_mapping ? YAML_MAPPING : YAML_SEQUENCE, &v));
    children c = {0};
    bool done = false;
    ptq_status status = PTQ_OK;
    while (status == PTQ_OK && !done)
        status = read_child(r, is_mapping, &c, &done);
    if (status == PTQ_OK)
        status = keep_children(r, &c, v);
    mem_free(c.keys);
    mem_free(c.items);
    if (status != PTQ_OK)
        return status;
    r->depth--;
    *out = v;
    return PTQ_OK;
}

static ptq_status read_value(reader *r, const yaml_event_t *event, const yaml_value **out)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event, out);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return read_collection(r, event, out);
    case YAML_ALIAS_EVENT:
        return fail_at(r, &event->start_mark, "aliases (*name) are not supported; write it out");
    default:
        return fail_at(r, &event->start_mark, "a value is missing");
    }
}

/* Consumes the events of the one document, up to the end of the stream. */
static ptq_status read_document(reader *r)
{
    bool in_document = false, done = false;
    ptq_status status = PTQ_OK;
    while (status == PTQ_OK && !done) {
        yaml_event_t event;
        PTQ_TRY(next_event(r, &event));
        if (event.type == YAML_DOCUMENT_START_EVENT && r->doc->root)
            status = fail_at(r, &event.start_mark, "a second document; one is expected");
        else if (event.type == YAML_STREAM_END_EVENT)
            done = true;
        else if (in_document && event.type != YAML_DOCUMENT_END_EVENT)
            status = read_value(r, &event, &r->doc->root);
        in_document = event.type == YAML_DOCUMENT_START_EVENT;
        yaml_event_delete(&event);
    }
    if (status == PTQ_OK && !r->doc->root)
        return error_set(r->err, PTQ_FORMAT, "'%s' is empty", r->doc->name);
    return status;
}

ptq_status yaml_doc_parse(const char *text, size_t size, const char *name, yaml_doc **out,
                          ptq_error *err)
{
    yaml_doc *d = mem_zalloc(sizeof *d);
    reader r = {.doc = d, .err = err};
    if (d)
        d->arena = arena_create(0);
    if (d && d->arena)
        d->name = arena_strdup(d->arena, name);
    if (!d || !d->name || !yaml_parser_initialize(&r.parser)) {
        yaml_doc_destroy(d);
        return error_no_memory(err, sizeof *d, "a YAML document");
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    ptq_status status = read_document(&r);
    yaml_parser_delete(&r.parser);
    if (status == PTQ_OK)
        *out = d;
    else
        yaml_doc_destroy(d);
    return status;
}

ptq_status yaml_doc_load(const char *path, yaml_doc **out, ptq_error *err)
{
    char *text;
    size_t size;
    PTQ_TRY(file_read(path, YAML_DOC_MAX_BYTES, &text, &size, err));
    ptq_status status = yaml_doc_parse(text, size, path, out, err);
    mem_free(text);
    return status;
}

void yaml_doc_destroy(yaml_doc *d)
{
    if (!d)
        return;
    arena_destroy(d->arena);
    mem_free(d);
}

const yaml_value *yaml_doc_root(const yaml_doc *d)
{
    return d->root;
}

const char *yaml_doc_name(const yaml_doc *d)
{
    return d->name;
}

const yaml_value *yaml_get(const yaml_value *v, const char *key)
{
    for (int i = 0; v && v->kind == YAML_MAPPING && i < v->n; i++)
        if (strcmp(v->keys[i], key) == 0)
            return v->items[i];
    return NULL;
}

static bool is_one_of(const yaml_value *v, const char *const *words)
{
    for (; v && v->kind == YAML_SCALAR && v->is_plain && *words; words++)
        if (strcasecmp(v->text, *words) == 0)
            return true;
    return false;
}

bool yaml_is_null(const yaml_value *v)
{
    static const char *const words[] = {"null", "~", "", NULL};
    return is_one_of(v, words);
}

bool yaml_bool(const yaml_value *v, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", NULL};
    static const char *const no[] = {"false", "no", "off", NULL};
    bool is_yes = is_one_of(v, yes);
    if (!is_yes && !is_one_of(v, no))
        return false;
    *out = is_yes;
    return true;
}

static bool looks_like_number(const yaml_value *v)
{
    return v && v->kind == YAML_SCALAR && v->is_plain && v->text[0] &&
           strspn(v->text, "+-.0123456789eE") == strlen(v->text);
}

bool yaml_int(const yaml_value *v, int64_t *out)
{
    if (!looks_like_number(v))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(v->text, &end, 10);
    if (errno || *end || end == v->text)
        return false;
    *out = value;
    return true;
}

bool yaml_double(const yaml_value *v, double *out)
{
    if (!looks_like_number(v))
        return false;
    char *end;
    errno = 0;
    double value = strtod(v->text, &end);
    if (*end || end == v->text || errno == ERANGE)
        return false;
    *out = value;
    return true;
}

void yaml_error_at(ptq_error *err, const yaml_doc *d, const yaml_value *v, const char *format, ...)
{
    char what[768];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)error_set(err, PTQ_FORMAT, "'%s' line %d: %s", d->name, v ? v->line : 1, what);
}
