/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fields.h"

#include <math.h>
#include <string.h>

const json_t *field_at(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t n = strcspn(path, ".");
        object = json_object_getn(object, path, n);
        path += n + (path[n] == '.');
    }
    return json_is_null(object) ? NULL : object;
}

double field_number(const json_t *object, const char *path)
{
    const json_t *value = field_at(object, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *field_text(const json_t *object, const char *path, const char *fallback)
{
    const json_t *value = field_at(object, path);
    return json_is_string(value) ? json_string_value(value) : fallback;
}

bool field_flag(const json_t *object, const char *path, bool fallback)
{
    const json_t *value = field_at(object, path);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

double field_median(const json_t *object, const char *path)
{
    const json_t *value = field_at(object, path);
    return json_is_object(value) ? field_number(value, "median") : field_number(object, path);
}
