/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/data_problem.h"
#include "data/dataset_yaml.h"
#include "formats/image.h"

enum { MAX_WARNINGS = 10, LEAST_SIDE = 10 };

/* One scan over the images of a list. */
typedef struct scan {
    dataset *d;
    const dataset_options *options;
    const ptq_env *env;
    char first_problem[1024];
} scan;

/* The size YOLOv7 believes in: turned for EXIF orientations 6 and 8, but not for 5 and 7. */
static ptq_status read_size(image_item *item, ptq_error *err)
{
    image_header header;
    PTQ_TRY(image_probe(item->path, &header, err));
    bool is_turned = header.orientation == 6 || header.orientation == 8;
    item->width = is_turned ? header.height : header.width;
    item->height = is_turned ? header.width : header.height;
    if (item->width < LEAST_SIDE || item->height < LEAST_SIDE)
        return error_set(err, PTQ_FORMAT, "the picture '%s' has %d x %d pixels, fewer than %d",
                         item->path, item->width, item->height, LEAST_SIDE);
    return PTQ_OK;
}

static ptq_status read_labels(const scan *s, image_item *item, ptq_error *err)
{
    char *path;
    PTQ_TRY(label_path_of(item->path, &path, err));
    item->label_path = arena_strdup(s->d->memory, path);
    mem_free(path);
    if (!item->label_path)
        return error_no_memory(err, strlen(item->path), "a path");
    item->has_label_file = file_exists(item->label_path);
    if (!item->has_label_file)
        return PTQ_OK;
    label_rules rules = {s->d->n_classes, s->options->single_class};
    return label_file_read(item->label_path, &rules, s->d->memory, &item->labels, &item->n_labels,
                           err);
}

static void leave_out(scan *s, const char *why)
{
    if (s->d->n_corrupt++ == 0)
        snprintf(s->first_problem, sizeof s->first_problem, "%s", why);
    if (s->d->n_corrupt <= MAX_WARNINGS)
        env_log(s->env, PTQ_LOG_WARNING, "an image is left out: %s", why);
}

static ptq_status scan_image(scan *s, const char *path, ptq_error *err)
{
    dataset *d = s->d;
    image_item item = {.path = arena_strdup(d->memory, path)};
    if (!item.path)
        return error_no_memory(err, strlen(path), "an image list");
    ptq_error problem;
    ptq_status status = read_size(&item, &problem);
    if (status == PTQ_OK)
        status = read_labels(s, &item, &problem);
    if (status == PTQ_DATA || status == PTQ_LIMIT)
        return error_set(err, status, "%s", problem.message);
    if (status != PTQ_OK) {
        leave_out(s, problem.message);
        return PTQ_OK;
    }
    d->items[d->n_items++] = item;
    d->n_labels += item.n_labels;
    d->n_missing += !item.has_label_file;
    d->n_empty += item.has_label_file && item.n_labels == 0;
    return PTQ_OK;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const image_item *)a)->path, ((const image_item *)b)->path);
}

static void report(const scan *s)
{
    const dataset *d = s->d;
    if (d->n_corrupt)
        env_log(s->env, PTQ_LOG_WARNING, "%d of %d images are left out", d->n_corrupt,
                d->n_corrupt + d->n_items);
    env_log(s->env, PTQ_LOG_INFO, "'%s' %s: %d images, %d labels (%d without label file, %d empty)",
            d->yaml_path, s->options->split, d->n_items, d->n_labels, d->n_missing, d->n_empty);
}

static ptq_status check_result(const scan *s, const image_list *images, ptq_error *err)
{
    const dataset *d = s->d;
    if (images->n == 0)
        return error_set(err, PTQ_DATA,
                         "'%s' of '%s' holds no image; list .jpg or .png files there ('ptq list' "
                         "makes a list of a folder)",
                         s->options->split, d->yaml_path);
    if (d->n_items == 0)
        return error_set(err, PTQ_DATA, "none of the %d images of '%s' in '%s' can be used: %s%s",
                         d->n_corrupt, s->options->split, d->yaml_path, s->first_problem,
                         s->options->data_root ? ""
                                               : "; --data-root replaces the folders of another "
                                                 "machine");
    if (s->options->need_labels && d->n_missing == d->n_items)
        return error_set(
            err, PTQ_DATA,
            "no image of '%s' in '%s' has a label file, the first would be '%s'; without labels "
            "'quantize' and 'sensitivity' go by --metric fidelity",
            s->options->split, d->yaml_path, d->items[0].label_path);
    return PTQ_OK;
}

static ptq_status scan_all(scan *s, const image_list *images, ptq_error *err)
{
    int limit = s->options->limit > 0 ? s->options->limit : INT_MAX;
    s->d->items = arena_alloc(s->d->memory, (size_t)images->n, sizeof *s->d->items);
    if (!s->d->items)
        return error_no_memory(err, (size_t)images->n * sizeof *s->d->items, "an image list");
    int n = images->n < limit ? images->n : limit;
    for (int i = 0; i < images->n && s->d->n_items < limit; i++) {
        PTQ_TRY(env_check_cancel(s->env, err));
        PTQ_TRY(scan_image(s, images->paths[i], err));
        env_progress(s->env, "reading labels", (size_t)(i < n ? i + 1 : n), (size_t)n);
    }
    PTQ_TRY(check_result(s, images, err));
    if (!s->options->list_order)
        qsort(s->d->items, (size_t)s->d->n_items, sizeof *s->d->items, compare_items);
    report(s);
    return PTQ_OK;
}

/* Keeps every fourth picture, or the others. */
static void split_folder(image_list *images, bool is_train)
{
    enum { EVERY = 4 };
    int n = 0;
    if (images->n < EVERY)
        return;
    for (int i = 0; i < images->n; i++) {
        bool is_wanted = (i % EVERY != EVERY - 1) == is_train;
        if (is_wanted)
            images->paths[n++] = images->paths[i];
        else
            mem_free(images->paths[i]);
    }
    images->n = n;
}

/* The model's names; "class 7" where it has none. */
static ptq_status take_class_names(scan *s, ptq_error *err)
{
    dataset *d = s->d;
    int n = d->n_classes = s->options->n_classes;
    d->class_names = s->options->class_names;
    if (d->class_names || n <= 0)
        return PTQ_OK;
    char **names = arena_alloc(d->memory, (size_t)n, sizeof *names);
    for (int i = 0; names && i < n; i++)
        if (!(names[i] = arena_printf(d->memory, "class %d", i)))
            names = NULL;
    d->class_names = names;
    return names ? PTQ_OK : error_no_memory(err, (size_t)n * sizeof *names, "class names");
}

static ptq_status fill_from_folder(scan *s, image_list *images, ptq_error *err)
{
    PTQ_TRY(take_class_names(s, err));
    PTQ_TRY(image_list_add_folder(images, s->d->yaml_path, err));
    split_folder(images, strcmp(s->options->split, "train") == 0);
    return scan_all(s, images, err);
}

static ptq_status fill(scan *s, image_list *images, ptq_error *err)
{
    dataset *d = s->d;
    dataset_yaml yaml;
    if (file_is_dir(d->yaml_path))
        return fill_from_folder(s, images, err);
    dataset_source source = {d->yaml_path, s->options->split, s->options->data_root};
    PTQ_TRY(dataset_yaml_read(&source, d->memory, &yaml, images, err));
    d->n_classes = yaml.n_classes;
    d->class_names = yaml.class_names;
    d->annotations = yaml.annotations;
    return scan_all(s, images, err);
}

ptq_status dataset_open(const char *yaml_path, const dataset_options *options, const ptq_env *env,
                        dataset **out, ptq_error *err)
{
    image_list images = {0};
    arena *memory = arena_create(0);
    dataset *d = memory ? arena_alloc(memory, 1, sizeof *d) : NULL;
    ptq_status status = PTQ_LIMIT;
    if (d) {
        d->memory = memory;
        d->yaml_path = arena_strdup(memory, yaml_path);
    }
    if (!d || !d->yaml_path) {
        (void)error_no_memory(err, sizeof *d, "a data set");
        goto done;
    }
    scan s = {.d = d, .options = options, .env = env};
    status = image_list_init(&images, err);
    if (status == PTQ_OK)
        status = fill(&s, &images, err);
    status = data_problem(status, err);
done:
    image_list_clear(&images);
    if (status == PTQ_OK)
        *out = d;
    else
        arena_destroy(memory);
    return status;
}

void dataset_destroy(dataset *d)
{
    if (d)
        arena_destroy(d->memory); /* which holds d itself */
}

/* A relative folder is made absolute without following links: "/images/" may be the link. */
static char *absolute_folder(const char *dir)
{
    char cwd[PATH_MAX];
    str s = STR_INIT;
    while (str_starts_with(dir, "./"))
        dir += 2;
    if (dir[0] != '/' && getcwd(cwd, sizeof cwd))
        str_addf(&s, "%s%s%s", cwd, str_ends_with(cwd, "/") ? "" : "/",
                 strcmp(dir, ".") == 0 ? "" : dir);
    else
        str_add(&s, dir);
    while (s.len > 1 && s.data[s.len - 1] == '/')
        s.data[--s.len] = '\0';
    return str_take(&s);
}

static ptq_status write_lines(const image_list *list, const char *path, ptq_error *err)
{
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    for (int i = 0; i < list->n; i++)
        fprintf(out.stream, "%s\n", list->paths[i]);
    return file_out_commit(&out, err);
}

ptq_status dataset_write_list(const char *dir, const char *list_path, int *n, ptq_error *err)
{
    image_list list;
    PTQ_TRY(image_list_init(&list, err));
    char *folder = absolute_folder(dir);
    ptq_status status;
    if (folder)
        status = image_list_add_folder(&list, folder, err);
    else
        status = error_no_memory(err, strlen(dir), "a path");
    if (status == PTQ_OK && list.n == 0)
        status = error_set(err, PTQ_DATA, "the folder '%s' holds no image", dir);
    if (status == PTQ_OK)
        status = write_lines(&list, list_path, err);
    if (status == PTQ_OK)
        *n = list.n;
    mem_free(folder);
    image_list_clear(&list);
    return status;
}
