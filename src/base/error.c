/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_set_at(ptq_error *err, ptq_status status, const char *file, int line, const char *format,
                  ...)
{
    if (!err)
        return;
    err->code = status;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
}

void error_context(ptq_error *err, const char *format, ...)
{
    if (!err)
        return;
    char front[sizeof err->message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(front, sizeof front, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof front - 3)
        return;
    memcpy(front + n, ": ", 2);
    size_t used = (size_t)n + 2;
    size_t rest = strlen(err->message);
    if (rest > sizeof front - used - 1)
        rest = sizeof front - used - 1;
    memcpy(front + used, err->message, rest);
    front[used + rest] = '\0';
    memcpy(err->message, front, used + rest + 1);
}

int ptq_status_exit_code(ptq_status status)
{
#define EXIT_CODE(name, exit_code, text) exit_code,
    static const int codes[] = {PTQ_STATUS_LIST(EXIT_CODE)};
#undef EXIT_CODE
    return (unsigned)status < PTQ_STATUS_COUNT ? codes[status] : 70;
}

const char *ptq_status_text(ptq_status status)
{
#define TEXT(name, exit_code, text) text,
    static const char *const texts[] = {PTQ_STATUS_LIST(TEXT)};
#undef TEXT
    return (unsigned)status < PTQ_STATUS_COUNT ? texts[status] : "unknown status";
}
