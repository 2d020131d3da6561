/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/fusion.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char *const NAMES[] = {"activation", "requantize", "movement",
                                    "concat",     "winograd",   "decode"};

static bool read_name(const char *name, size_t length, unsigned *set)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strlen(NAMES[i]) == length && memcmp(NAMES[i], name, length) == 0) {
            *set |= 1u << i;
            return true;
        }
    return false;
}

ptq_status fusions_parse(const char *list, unsigned *out, ptq_error *err)
{
    unsigned set = 0;
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, ",");
        if (!read_name(at, length, &set))
            return error_set(err, PTQ_USAGE,
                             "unknown fusion '%.*s'; use activation, requantize, movement, concat, "
                             "winograd or decode",
                             (int)length, at);
        at += length + (at[length] == ',');
    }
    *out = set;
    return PTQ_OK;
}
