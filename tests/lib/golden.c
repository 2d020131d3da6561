/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"

#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zip.h>

extern char **environ;

void golden_npz(const char *path, const char *member, npy_array *out)
{
    ptq_error err;
    zip_t *z = zip_open(path, ZIP_RDONLY, NULL);
    if (!z)
        fail_msg("cannot open '%s'", path);
    zip_stat_t st;
    assert_int_equal(zip_stat(z, member, 0, &st), 0);
    char *bytes = malloc(st.size);
    zip_file_t *f = zip_fopen(z, member, 0);
    assert_non_null(bytes);
    assert_non_null(f);
    assert_int_equal(zip_fread(f, bytes, st.size), st.size);
    assert_ok(npy_parse(bytes, st.size, out, &err));
    free(bytes);
    zip_fclose(f);
    zip_discard(z);
}

void golden_gunzip(const char *path, const char *out_path)
{
    char *const argv[] = {"gzip", "-dc", (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawnp(&pid, "gzip", &actions, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    posix_spawn_file_actions_destroy(&actions);
}

json_t *golden_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        fail_msg("'%s': %s", path, error.text);
    return root;
}

double golden_number(const json_t *root, const char *path)
{
    char step[128];
    const json_t *at = root;
    for (const char *p = path; at && *p;) {
        size_t n = strcspn(p, ".");
        assert_true(n < sizeof step);
        memcpy(step, p, n);
        step[n] = '\0';
        at = json_is_array(at) ? json_array_get(at, strtoul(step, NULL, 10))
                               : json_object_get(at, step);
        p += n + (p[n] == '.');
    }
    if (!json_is_number(at))
        fail_msg("no number '%s'", path);
    return json_number_value(at);
}
