/* SPDX-License-Identifier: Apache-2.0 */
#include "api/detect_inputs.h"

#include <glob.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcasecmp(path + n - m, suffix) == 0;
}

static ptq_status add_existing(image_list *list, const char *path, ptq_error *err)
{
    if (file_is_dir(path))
        return image_list_add_folder(list, path, err);
    if (!has_suffix(path, ".txt"))
        return image_list_add(list, path, err);
    path_rules rules = {{""}, 1, NULL};
    return image_list_add_file(list, path, &rules, err);
}

static ptq_status add_pattern(image_list *list, const char *pattern, ptq_error *err)
{
    glob_t matches;
    int failed = glob(pattern, 0, NULL, &matches);
    if (failed == GLOB_NOSPACE)
        return error_no_memory(err, 0, "file names");
    if (failed)
        return error_set(err, PTQ_IO, "no picture, folder or list is called '%s'", pattern);
    ptq_status status = PTQ_OK;
    for (size_t i = 0; i < matches.gl_pathc && status == PTQ_OK; i++)
        status = add_existing(list, matches.gl_pathv[i], err);
    globfree(&matches);
    return status;
}

ptq_status detect_inputs_find(const char *const *words, image_list *out, ptq_error *err)
{
    PTQ_TRY(image_list_init(out, err));
    ptq_status status = PTQ_OK;
    for (int i = 0; words && words[i] && status == PTQ_OK; i++)
        status = file_exists(words[i]) ? add_existing(out, words[i], err)
                                       : add_pattern(out, words[i], err);
    if (status == PTQ_OK && out->n == 0)
        status = error_set(err, PTQ_IO,
                           "'%s' holds no picture; name a JPEG or PNG picture, a folder of them or "
                           "a list (.txt)",
                           words && words[0] ? words[0] : "");
    if (status != PTQ_OK)
        image_list_clear(out);
    return status;
}

/* The picture's name in `dir`; `number` > 1 is added before the suffix. */
static char *output_name(const char *dir, const char *picture, int number)
{
    bool is_kept =
        has_suffix(picture, ".png") || has_suffix(picture, ".jpg") || has_suffix(picture, ".jpeg");
    char *stem = path_stem(picture);
    str name = STR_INIT;
    str_add(&name, stem ? stem : "picture");
    if (number > 1)
        str_addf(&name, "-%d", number);
    str_add(&name, is_kept ? strrchr(path_base(picture), '.') : ".jpg");
    mem_free(stem);
    char *path = str_ok(&name) ? path_join(dir, str_text(&name)) : NULL;
    str_clear(&name);
    return path;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static ptq_status choose(const char *picture, const char *dir, bool force, strmap *taken,
                         char **out, ptq_error *err)
{
    int64_t known;
    for (int number = 1;; number++) {
        char *path = output_name(dir, picture, number);
        if (!path)
            return error_no_memory(err, strlen(picture), "a path");
        bool is_taken = strmap_get(taken, path, &known);
        if (!is_taken) {
            *out = path; /* owned by the list, also when it is refused */
            break;
        }
        mem_free(path);
    }
    if (!strmap_put(taken, *out, 1))
        return error_no_memory(err, strlen(*out), "a path");
    if (is_same_file(picture, *out))
        return error_set(err, PTQ_IO, "'%s' is the picture itself; choose another folder", *out);
    if (!force && file_exists(*out))
        return error_set(err, PTQ_IO, "output '%s' exists; use --force to replace it", *out);
    return PTQ_OK;
}

ptq_status detect_outputs(const image_list *pictures, const char *dir, bool force, char ***out,
                          ptq_error *err)
{
    char **paths = mem_array((size_t)pictures->n, sizeof *paths);
    strmap *taken = strmap_create();
    ptq_status status = PTQ_OK;
    if (!paths || !taken)
        status = error_no_memory(err, (size_t)pictures->n * sizeof *paths, "file names");
    for (int i = 0; i < pictures->n && status == PTQ_OK; i++)
        status = choose(pictures->paths[i], dir, force, taken, &paths[i], err);
    strmap_destroy(taken);
    if (status != PTQ_OK)
        detect_outputs_free(paths, pictures->n);
    else
        *out = paths;
    return status;
}

void detect_outputs_free(char **outputs, int n)
{
    for (int i = 0; outputs && i < n; i++)
        mem_free(outputs[i]);
    mem_free(outputs);
}
