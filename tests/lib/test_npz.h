/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/test_npz.h — arrays inside numpy's .npz archives, and JSON files, for golden tests. */
#ifndef TEST_NPZ_H
#define TEST_NPZ_H

#include <stddef.h>

#include <jansson.h>

/* Array `name` as float32; free with mem_free(). Fails the test when it is absent. */
float *test_npz(const char *path, const char *name, size_t *count);

/* A JSON document; json_decref() it. Fails the test when malformed. */
json_t *test_json(const char *path);
/* A number of an object. Fails the test when it is absent. */
double test_json_number(const json_t *object, const char *key);

#endif
