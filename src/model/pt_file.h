/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_file.h — a PyTorch checkpoint file: its pickle as a document, its tensors on demand.
 *
 * Only the zip container of PyTorch 1.6 and later. Storages are read when a tensor of theirs is
 * asked for; the last one is kept. Spec: checkpoint.md §1, §2.
 */
#ifndef MODEL_PT_FILE_H
#define MODEL_PT_FILE_H

#include "base/error.h"
#include "formats/pickle.h"

typedef struct pt_file pt_file;

/* `max_bytes` caps every record and the sum of what is read; `max_depth` the pickle's nesting. */
PTQ_CHECKED ptq_status pt_file_open(const char *path, size_t max_bytes, size_t max_depth,
                                    pt_file **out, ptq_error *err);
void pt_file_close(pt_file *f); /* NULL allowed */
const pickle_value *pt_file_root(const pt_file *f);

/* The tensor's t->n_elements values, gathered into row-major order and converted to float. */
PTQ_CHECKED ptq_status pt_file_read_tensor(pt_file *f, const pickle_tensor *t, float *values,
                                           ptq_error *err);
/* Storages read so far whose checksum was not the recorded one. */
int pt_file_n_bad_checksums(const pt_file *f);

#endif
