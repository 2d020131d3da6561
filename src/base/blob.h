/* SPDX-License-Identifier: Apache-2.0 */
/* base/blob.h — bytes shared by several owners (weights); the only reference-counted type.
 *
 * The bytes are 64-byte aligned with MEM_PAD readable bytes after them, and constant once shared.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blob blob;

blob *blob_create(size_t bytes);       /* zeroed; NULL when out of memory */
blob *blob_create_unset(size_t bytes); /* for who sets all bytes himself */
blob *blob_copy_of(const void *data, size_t bytes);
/* `bytes` of `whole` from `offset` (a multiple of 64) on, which holds `whole` as long as it lives;
 * the next slice begins blob_slice_bytes(bytes) behind. */
blob *blob_slice(blob *whole, size_t offset, size_t bytes);
size_t blob_slice_bytes(size_t bytes);
blob *blob_ref(blob *b);   /* returns b; NULL allowed */
void blob_unref(blob **b); /* nulls the caller's pointer; NULL allowed */
void *blob_data(const blob *b);
size_t blob_size(const blob *b);
bool blob_is_shared(const blob *b); /* somebody else holds it, too */

#endif
