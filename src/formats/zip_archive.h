/* SPDX-License-Identifier: Apache-2.0 */
/* formats/zip_archive.h — the records of a zip file, read one by one.
 *
 * Names and sizes come from the central directory; a record is read when it is asked for.
 */
#ifndef FORMATS_ZIP_ARCHIVE_H
#define FORMATS_ZIP_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct zip_archive zip_archive;

PTQ_CHECKED ptq_status zip_archive_open(const char *path, zip_archive **out, ptq_error *err);
void zip_archive_destroy(zip_archive *z); /* NULL allowed */

int zip_archive_n_records(const zip_archive *z);
const char *zip_archive_name(const zip_archive *z, int i); /* borrowed */
/* Index of the record with this name; -1: absent. */
int zip_archive_find(const zip_archive *z, const char *name);
/* Size after unpacking, as the directory claims. */
uint64_t zip_archive_size(const zip_archive *z, int i);

/* The record's bytes, followed by one NUL that is not counted. They are the archive's, and the
 * caller may change them, until the next record is read. PTQ_LIMIT when larger than max_bytes.
 * *crc_matches (NULL allowed) tells whether the bytes have the recorded checksum; writers exist
 * that record none, so a stored record is given out either way. */
PTQ_CHECKED ptq_status zip_archive_read(zip_archive *z, int i, size_t max_bytes, char **data,
                                        bool *crc_matches, ptq_error *err);

#endif
