/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/test_broken.h — a picture that is found broken late. */
#ifndef TEST_BROKEN_H
#define TEST_BROKEN_H

/* Writes a PNG whose end is missing: long after a file that is not there it fails to be read. */
void test_broken_picture(const char *path);

#endif
