/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_yaml.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/yaml_doc.h"

enum { MAX_CLASSES = 100000 };

/* One reading. */
typedef struct yaml_reader {
    const dataset_source *source;
    yaml_doc *doc;
    const yaml_value *root;
    arena *memory;
    path_rules rules;
    char *own_folder;  /* of the yaml */
    char *path_folder; /* what the key `path` says; NULL without it */
} yaml_reader;

static ptq_status copy_name(yaml_reader *r, const yaml_value *v, char **out, ptq_error *err)
{
    if (v->kind != YAML_SCALAR)
        return yaml_error(err, r->doc, v, "a class name is expected");
    *out = arena_strdup(r->memory, v->text);
    return *out ? PTQ_OK : error_no_memory(err, strlen(v->text), "class names");
}

/* "0: person": keys are the numbers 0 ... n-1 in any order. */
static ptq_status copy_name_map(yaml_reader *r, const yaml_value *names, char **out, ptq_error *err)
{
    for (int i = 0; i < names->n; i++) {
        yaml_value key = {.kind = YAML_SCALAR, .is_plain = true, .text = names->keys[i]};
        int64_t index;
        if (!yaml_int(&key, &index) || index < 0 || index >= names->n || out[index])
            return yaml_error(err, r->doc, names->items[i],
                              "'names' should count the classes from 0 to %d, it has '%s'",
                              names->n - 1, names->keys[i]);
        PTQ_TRY(copy_name(r, names->items[i], &out[index], err));
    }
    return PTQ_OK;
}

static ptq_status read_names(yaml_reader *r, const yaml_value *names, dataset_yaml *out,
                             ptq_error *err)
{
    if (names->kind == YAML_SCALAR || names->n < 1 || names->n > MAX_CLASSES)
        return yaml_error(err, r->doc, names, "'names' should list the classes");
    out->n_classes = names->n;
    out->class_names = arena_alloc(r->memory, (size_t)names->n, sizeof *out->class_names);
    if (!out->class_names)
        return error_no_memory(err, (size_t)names->n * 8, "class names");
    if (names->kind == YAML_MAPPING)
        return copy_name_map(r, names, out->class_names, err);
    for (int i = 0; i < names->n; i++)
        PTQ_TRY(copy_name(r, names->items[i], &out->class_names[i], err));
    return PTQ_OK;
}

/* Without names the classes are called by their numbers. */
static ptq_status number_names(yaml_reader *r, int n, dataset_yaml *out, ptq_error *err)
{
    out->n_classes = n;
    out->class_names = arena_alloc(r->memory, (size_t)n, sizeof *out->class_names);
    for (int i = 0; out->class_names && i < n; i++)
        if (!(out->class_names[i] = arena_printf(r->memory, "%d", i)))
            out->class_names = NULL;
    return out->class_names ? PTQ_OK : error_no_memory(err, (size_t)n * 8, "class names");
}

static ptq_status read_classes(yaml_reader *r, dataset_yaml *out, ptq_error *err)
{
    const yaml_value *nc = yaml_get(r->root, "nc"), *names = yaml_get(r->root, "names");
    int64_t count = 0;
    if (!nc && !names)
        return error_set(err, PTQ_DATA,
                         "'%s' says neither 'nc' nor 'names'; write the classes there",
                         r->source->yaml_path);
    if (nc && (!yaml_int(nc, &count) || count < 1 || count > MAX_CLASSES))
        return yaml_error(err, r->doc, nc, "'nc' should be a number of classes");
    if (!names)
        return number_names(r, (int)count, out, err);
    PTQ_TRY(read_names(r, names, out, err));
    if (nc && count != out->n_classes)
        return yaml_error(err, r->doc, names, "'names' has %d entries, but 'nc' is %lld",
                          out->n_classes, (long long)count);
    return PTQ_OK;
}

static ptq_status set_up_rules(yaml_reader *r, ptq_error *err)
{
    r->rules = (path_rules){.data_root = r->source->data_root};
    r->own_folder = path_dir(r->source->yaml_path);
    if (!r->own_folder)
        return error_no_memory(err, strlen(r->source->yaml_path), "a path");
    r->rules.bases[r->rules.n_bases++] = r->own_folder;
    r->rules.bases[r->rules.n_bases++] = "";
    const yaml_value *path = yaml_get(r->root, "path");
    if (!path || yaml_is_null(path))
        return PTQ_OK;
    if (path->kind != YAML_SCALAR)
        return yaml_error(err, r->doc, path, "'path' should be a folder");
    bool found;
    PTQ_TRY(path_find(&r->rules, path->text, &r->path_folder, &found, err));
    r->rules = (path_rules){{r->path_folder, r->own_folder, ""}, 3, r->source->data_root};
    return PTQ_OK;
}

static ptq_status add_source(yaml_reader *r, const yaml_value *v, image_list *images,
                             ptq_error *err)
{
    char *path;
    bool found;
    const char *split = r->source->split;
    if (v->kind != YAML_SCALAR || !v->text[0])
        return yaml_error(err, r->doc, v, "'%s' should name a list of images or a folder", split);
    PTQ_TRY(path_find(&r->rules, v->text, &path, &found, err));
    ptq_status status;
    if (!found)
        status = yaml_error(err, r->doc, v, "'%s' is '%s', which does not exist; %s", split, path,
                            r->source->data_root ? "it is not below --data-root either"
                                                 : "correct the path or give --data-root");
    else if (file_is_dir(path))
        status = image_list_add_folder(images, path, err);
    else
        status = image_list_add_file(images, path, &r->rules, err);
    mem_free(path);
    return status;
}

static ptq_status no_split(const yaml_reader *r, ptq_error *err)
{
    static const char *const usual[] = {"train", "val", "test"};
    char known[64] = "";
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (yaml_get(r->root, usual[i])) {
            size_t n = strlen(known);
            snprintf(known + n, sizeof known - n, "%s'%s'", n ? ", " : "", usual[i]);
        }
    return error_set(err, PTQ_DATA,
                     "'%s' has no '%s' set of images; add the key or choose another split%s%s",
                     r->source->yaml_path, r->source->split, *known ? ": it has " : "", known);
}

static ptq_status read_split(yaml_reader *r, image_list *images, ptq_error *err)
{
    const yaml_value *v = yaml_get(r->root, r->source->split);
    if (!v || yaml_is_null(v))
        return no_split(r, err);
    if (v->kind != YAML_SEQUENCE)
        return add_source(r, v, images, err);
    for (int i = 0; i < v->n; i++)
        PTQ_TRY(add_source(r, v->items[i], images, err));
    return PTQ_OK;
}

static ptq_status read_annotations(yaml_reader *r, dataset_yaml *out, ptq_error *err)
{
    const yaml_value *v = yaml_get(r->root, "annotations");
    if (!v || yaml_is_null(v))
        return PTQ_OK;
    if (v->kind != YAML_SCALAR)
        return yaml_error(err, r->doc, v, "'annotations' should name a COCO instances file");
    char *path;
    bool found;
    PTQ_TRY(path_find(&r->rules, v->text, &path, &found, err));
    out->annotations = arena_strdup(r->memory, path);
    ptq_status status = out->annotations ? PTQ_OK : error_no_memory(err, strlen(path), "a path");
    mem_free(path);
    return status;
}

static ptq_status read_all(yaml_reader *r, dataset_yaml *out, image_list *images, ptq_error *err)
{
    ptq_status status = yaml_doc_load(r->source->yaml_path, &r->doc, err);
    if (status == PTQ_FORMAT)
        error_context(err, "a data set is a data yaml or a folder of pictures");
    PTQ_TRY(status);
    r->root = yaml_doc_root(r->doc);
    if (!r->root || r->root->kind != YAML_MAPPING)
        return error_set(err, PTQ_DATA,
                         "'%s' is not a data yaml: it should have the keys 'train', 'val', 'nc' "
                         "and 'names'; a folder of pictures will do, too",
                         r->source->yaml_path);
    PTQ_TRY(read_classes(r, out, err));
    PTQ_TRY(set_up_rules(r, err));
    PTQ_TRY(read_annotations(r, out, err));
    return read_split(r, images, err);
}

ptq_status dataset_yaml_read(const dataset_source *source, arena *memory, dataset_yaml *out,
                             image_list *images, ptq_error *err)
{
    yaml_reader r = {.source = source, .memory = memory};
    dataset_yaml made = {0};
    ptq_status status = read_all(&r, &made, images, err);
    if (status == PTQ_OK)
        *out = made;
    yaml_doc_destroy(r.doc);
    mem_free(r.own_folder);
    mem_free(r.path_folder);
    return status;
}
