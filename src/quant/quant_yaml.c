/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_yaml.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

ptq_status quant_yaml_error(ptq_error *err, const yaml_doc *doc, const yaml_value *v,
                            const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(err, PTQ_USAGE, "'%s' line %d: %s", yaml_doc_name(doc), v->line, text);
}

static bool is_known(const char *key, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(key, *known) == 0)
            return true;
    return false;
}

ptq_status quant_yaml_unknown(ptq_error *err, const yaml_doc *doc, const yaml_value *v,
                              const char *text, const char *const *known)
{
    const char *nearest = str_nearest(text, known);
    if (nearest)
        return quant_yaml_error(err, doc, v, "'%s' is not known; did you mean '%s'?", text,
                                nearest);
    str all = STR_INIT;
    for (int i = 0; known[i]; i++)
        str_addf(&all, "%s%s", i ? ", " : "", known[i]);
    ptq_status st =
        quant_yaml_error(err, doc, v, "'%s' is not known; known are %s", text, str_text(&all));
    str_clear(&all);
    return st;
}

ptq_status quant_yaml_check_keys(const yaml_doc *doc, const yaml_value *v, const char *what,
                                 const char *const *known, ptq_error *err)
{
    if (v->kind != YAML_MAPPING)
        return quant_yaml_error(err, doc, v, "%s must be a mapping", what);
    for (int i = 0; i < v->n; i++)
        if (!is_known(v->keys[i], known))
            return quant_yaml_unknown(err, doc, v->items[i], v->keys[i], known);
    return PTQ_OK;
}
