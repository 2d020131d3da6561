/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/golden.h — the containers golden files come in: .npz, .gz, .json. Each call fails the
 * test when its file is not as it should be. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <jansson.h>

#include "formats/npy.h"

/* One array of an .npz; npy_clear() it. */
void golden_npz(const char *path, const char *member, npy_array *out);
/* Unpacks a .gz with the gzip program. */
void golden_gunzip(const char *path, const char *out_path);
/* json_decref() the result. */
json_t *golden_json(const char *path);
/* A number by dotted path: "per_class.person.AP", "pycocotools12.3". */
double golden_number(const json_t *root, const char *path);

#endif
