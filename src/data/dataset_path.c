/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_path.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static bool has_drive(const char *name)
{
    return isalpha((unsigned char)name[0]) && name[1] == ':' && (name[2] == '/' || name[2] == '\\');
}

static bool is_relative(const char *name)
{
    return name[0] != '/' && !has_drive(name);
}

/* Below every base folder. The first candidate is kept as the guess. */
static ptq_status try_bases(const path_rules *rules, const char *name, char **guess, bool *found,
                            ptq_error *err)
{
    int n = is_relative(name) ? rules->n_bases : 1;
    while (str_starts_with(name, "./"))
        name += 2;
    for (int i = 0; i < n && !*found; i++) {
        char *path = is_relative(name) ? path_join(rules->bases[i], name) : mem_strdup(name);
        if (!path)
            return error_no_memory(err, strlen(name), "a path");
        *found = file_exists(path);
        if (*found || !*guess) {
            mem_free(*guess);
            *guess = path;
        } else {
            mem_free(path);
        }
    }
    return PTQ_OK;
}

static ptq_status try_root(const path_rules *rules, const char *name, char **guess, bool *found,
                           ptq_error *err)
{
    const char *tail = has_drive(name) ? name + 3 : name;
    while (tail && !*found) {
        tail += strspn(tail, "/");
        char *path = path_join(rules->data_root, tail);
        if (!path)
            return error_no_memory(err, strlen(name), "a path");
        *found = *tail && file_exists(path);
        if (*found) {
            mem_free(*guess);
            *guess = path;
        } else {
            mem_free(path);
        }
        tail = strchr(tail, '/');
    }
    return PTQ_OK;
}

ptq_status path_find(const path_rules *rules, const char *name, char **out, bool *found,
                     ptq_error *err)
{
    char *guess = NULL;
    bool is_found = false;
    ptq_status status = PTQ_OK;
    char *slashed = mem_strdup(name);
    if (!slashed)
        return error_no_memory(err, strlen(name), "a path");
    for (char *p = slashed; *p; p++)
        if (*p == '\\')
            *p = '/';
    status = try_bases(rules, name, &guess, &is_found, err);
    if (status == PTQ_OK && !is_found && strchr(name, '\\'))
        status = try_bases(rules, slashed, &guess, &is_found, err);
    if (status == PTQ_OK && !is_found && rules->data_root)
        status = try_root(rules, slashed, &guess, &is_found, err);
    mem_free(slashed);
    if (status == PTQ_OK) {
        *out = guess;
        *found = is_found;
    } else {
        mem_free(guess);
    }
    return status;
}

static const char *last_occurrence(const char *text, const char *word)
{
    const char *last = NULL;
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
        last = p;
    return last;
}

/* `images` points at "/images/" in the path, or is NULL. */
static char *with_labels(const char *path, const char *images)
{
    str s = STR_INIT;
    const char *rest = path;
    if (images) {
        str_add_n(&s, path, (size_t)(images - path));
        str_add(&s, "/labels/");
        rest = images + strlen("/images/");
    }
    const char *dot = strrchr(rest, '.');
    str_add_n(&s, rest, dot ? (size_t)(dot - rest) : strlen(rest));
    str_add(&s, ".txt");
    return str_take(&s);
}

ptq_status label_path_of(const char *image_path, char **out, ptq_error *err)
{
    const char *first = strstr(image_path, "/images/");
    const char *last = last_occurrence(image_path, "/images/");
    char *path = with_labels(image_path, first);
    if (path && first != last && !file_exists(path)) {
        char *other = with_labels(image_path, last);
        if (other && file_exists(other)) {
            mem_free(path);
            path = other;
        } else {
            mem_free(other);
        }
    }
    if (!path)
        return error_no_memory(err, strlen(image_path), "a path");
    *out = path;
    return PTQ_OK;
}
