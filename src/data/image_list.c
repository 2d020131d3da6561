/* SPDX-License-Identifier: Apache-2.0 */
#include "data/image_list.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_LIST_BYTES = 1 << 30, MAX_DEPTH = 64 };

ptq_status image_list_init(image_list *list, ptq_error *err)
{
    *list = (image_list){.seen = strmap_create()};
    return list->seen ? PTQ_OK : error_no_memory(err, sizeof *list, "an image list");
}

void image_list_clear(image_list *list)
{
    for (int i = 0; i < list->n; i++)
        mem_free(list->paths[i]);
    mem_free(list->paths);
    strmap_destroy(list->seen);
    *list = (image_list){0};
}

/* Suffixes that YOLOv7 takes for pictures. Which of them can be decoded shows when they are read.
 */
static bool is_picture_name(const char *name)
{
    static const char *const suffixes[] = {"bmp",  "jpg", "jpeg", "png", "tif",
                                           "tiff", "dng", "webp", "mpo"};
    const char *dot = strrchr(path_base(name), '.');
    for (size_t i = 0; dot && i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcasecmp(dot + 1, suffixes[i]) == 0)
            return true;
    return false;
}

/* Takes over `path`, also on failure. */
static ptq_status add_path(image_list *list, char *path, ptq_error *err)
{
    int64_t known;
    if (strmap_get(list->seen, path, &known)) {
        mem_free(path);
        return PTQ_OK;
    }
    bool has_room = list->n < list->cap;
    if (!has_room && list->cap < INT_MAX / 2) {
        int cap = list->cap ? list->cap * 2 : 256;
        char **grown = mem_resize(list->paths, (size_t)cap, sizeof *grown);
        has_room = grown != NULL;
        if (grown) {
            list->paths = grown;
            list->cap = cap;
        }
    }
    if (!has_room || !strmap_put(list->seen, path, list->n)) {
        mem_free(path);
        return error_no_memory(err, (size_t)list->n * sizeof *list->paths, "an image list");
    }
    list->paths[list->n++] = path;
    return PTQ_OK;
}

/* The folders being searched, innermost first: a link back to one of them is not followed. */
typedef struct folder_chain {
    const struct folder_chain *outer;
    dev_t device;
    ino_t inode;
    int depth;
} folder_chain;

static bool is_inside_itself(const folder_chain *chain, const struct stat *st)
{
    for (; chain; chain = chain->outer)
        if (chain->device == st->st_dev && chain->inode == st->st_ino)
            return true;
    return false;
}

static ptq_status walk(image_list *list, const char *folder, const folder_chain *outer,
                       ptq_error *err);

static ptq_status visit(image_list *list, const char *folder, const char *name,
                        const folder_chain *chain, ptq_error *err)
{
    struct stat st;
    char *path = path_join(folder, name);
    if (!path)
        return error_no_memory(err, strlen(name), "a path");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        bool skip = is_inside_itself(chain, &st) || chain->depth == MAX_DEPTH;
        ptq_status status = skip ? PTQ_OK : walk(list, path, chain, err);
        mem_free(path);
        return status;
    }
    if (is_picture_name(name))
        return add_path(list, path, err);
    mem_free(path);
    return PTQ_OK;
}

static ptq_status walk(image_list *list, const char *folder, const folder_chain *outer,
                       ptq_error *err)
{
    DIR *dir = opendir(folder);
    struct stat st;
    if (!dir || fstat(dirfd(dir), &st) != 0) {
        ptq_status failed =
            error_set(err, PTQ_IO, "cannot open the folder '%s': %s", folder, strerror(errno));
        if (dir)
            closedir(dir);
        return failed;
    }
    folder_chain chain = {outer, st.st_dev, st.st_ino, outer ? outer->depth + 1 : 0};
    ptq_status status = PTQ_OK;
    for (struct dirent *entry = readdir(dir); entry && status == PTQ_OK; entry = readdir(dir))
        if (entry->d_name[0] != '.')
            status = visit(list, folder, entry->d_name, &chain, err);
    closedir(dir);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

ptq_status image_list_add(image_list *list, const char *path, ptq_error *err)
{
    char *copy = mem_strdup(path);
    return copy ? add_path(list, copy, err) : error_no_memory(err, strlen(path), "a path");
}

ptq_status image_list_add_folder(image_list *list, const char *folder, ptq_error *err)
{
    int before = list->n;
    PTQ_TRY(walk(list, folder, NULL, err));
    if (list->n > before)
        qsort(list->paths + before, (size_t)(list->n - before), sizeof *list->paths, compare_paths);
    return PTQ_OK;
}

static ptq_status add_line(image_list *list, const char *line, const path_rules *rules,
                           const path_rules *dot_rules, ptq_error *err)
{
    if (!is_picture_name(line))
        return PTQ_OK;
    bool is_dotted = str_starts_with(line, "./") || str_starts_with(line, ".\\");
    char *path;
    bool found;
    PTQ_TRY(path_find(is_dotted ? dot_rules : rules, line, &path, &found, err));
    return add_path(list, path, err);
}

static ptq_status add_lines(image_list *list, char *text, const char *folder,
                            const path_rules *rules, ptq_error *err)
{
    path_rules dot_rules = {{folder}, 1, rules->data_root}, all = *rules;
    all.bases[all.n_bases++] = folder;
    if (str_starts_with(text, "\xef\xbb\xbf"))
        text += 3;
    for (char *line = text; *line;) {
        char *end = line + strcspn(line, "\r\n");
        char *next = *end ? end + 1 : end;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = '\0';
        line += strspn(line, " \t");
        PTQ_TRY(add_line(list, line, &all, &dot_rules, err));
        line = next;
    }
    return PTQ_OK;
}

ptq_status image_list_add_file(image_list *list, const char *path, const path_rules *rules,
                               ptq_error *err)
{
    char *text;
    size_t size;
    PTQ_TRY(file_read(path, MAX_LIST_BYTES, &text, &size, err));
    ptq_status status;
    char *folder = path_dir(path);
    if (strlen(text) != size)
        status = error_set(err, PTQ_DATA, "'%s' is not an image list: it holds a zero byte", path);
    else if (!folder)
        status = error_no_memory(err, strlen(path), "a path");
    else
        status = add_lines(list, text, folder, rules, err);
    mem_free(folder);
    mem_free(text);
    return status;
}
