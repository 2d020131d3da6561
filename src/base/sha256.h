/* SPDX-License-Identifier: Apache-2.0 */
/* base/sha256.h — SHA-256 (FIPS 180-4): names a model file in reports and exported metadata. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    unsigned char block[64];
} sha256;

void sha256_init(sha256 *s);
void sha256_add(sha256 *s, const void *data, size_t size);
void sha256_hex(sha256 *s, char hex[65]); /* finishes; lower case */

#endif
