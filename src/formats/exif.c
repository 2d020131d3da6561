/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/exif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

static uint32_t read_u16(const unsigned char *p, bool is_big)
{
    return is_big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static uint32_t read_u32(const unsigned char *p, bool is_big)
{
    uint32_t first = read_u16(p, is_big), second = read_u16(p + 2, is_big);
    return is_big ? first << 16 | second : second << 16 | first;
}

int exif_orientation(const unsigned char *tiff, size_t size)
{
    if (size < 8)
        return 1;
    bool is_big = tiff[0] == 'M';
    if (memcmp(tiff, is_big ? "MM\0*" : "II*\0", 4) != 0)
        return 1;
    size_t at = read_u32(tiff + 4, is_big);
    if (at > size - 2)
        return 1;
    size_t n = read_u16(tiff + at, is_big);
    at += 2;
    for (; n > 0 && size - at >= ENTRY_BYTES; n--, at += ENTRY_BYTES) {
        const unsigned char *entry = tiff + at;
        if (read_u16(entry, is_big) != TAG_ORIENTATION)
            continue;
        uint32_t value = read_u16(entry + 8, is_big);
        bool is_valid = read_u16(entry + 2, is_big) == TYPE_SHORT && value >= 1 && value <= 8;
        return is_valid ? (int)value : 1;
    }
    return 1;
}
