/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/test.h — what cmocka lacks for us: its headers in order, statuses, shared data, arrays.
 */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* Fails with the error's message. */
#define assert_ok(call) test_assert_status((call), PTQ_OK, &err, #call, __FILE__, __LINE__)
#define assert_status(call, status)                                                                \
    test_assert_status((call), (status), &err, #call, __FILE__, __LINE__)
void test_assert_status(ptq_status got, ptq_status want, const ptq_error *err, const char *call,
                        const char *file, int line);

/* Path below the shared data folder (PTQ_SHARED, else ../shared/data). When the file is absent the
 * test is skipped with a line that says so. `buffer` holds the path. */
const char *test_shared(const char *relative, char buffer[512]);

/* Path below the repository's demo folder. */
const char *test_demo(const char *relative, char buffer[512]);

/* A fresh temporary folder, removed by test_temp_remove(). */
const char *test_temp_dir(char buffer[512]);
void test_temp_remove(const char *dir);

/* Reads a float32 or uint8 .npy as floats; free() the result. Fails the test when malformed. */
float *test_npy(const char *path, int *rank, int64_t dims[8], size_t *count);

/* Largest absolute difference; NaN gives infinity. */
double test_max_abs(const float *a, const float *b, size_t n);

/* Deterministic uniform numbers in [0,1) and normal(0,1). */
typedef struct test_rng {
    uint64_t state;
} test_rng;
double test_uniform(test_rng *r);
double test_normal(test_rng *r);

#endif
