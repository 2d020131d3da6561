/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/json_stream.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    BUFFER_BYTES = 1 << 18,
    MAX_NUMBER = 400,     /* bytes of one number; doubles never need so many */
    MAX_STRING = 1 << 24, /* bytes of one string */
    EXACT_DIGITS = 15,    /* decimal integers up to here are exact doubles */
    EXACT_POWER = 22,     /* and so are powers of ten up to here */
};

struct json_stream {
    FILE *file;
    char *path;
    locale_t c_locale; /* strtod() obeys the locale */
    int depth;
    bool is_first[JSON_MAX_DEPTH]; /* nothing read yet at this level: no comma wanted */
    size_t line;                   /* from 1 */
    size_t before;                 /* bytes of the file in front of buffer[0] */
    size_t pos, len;               /* in buffer; buffer[len] is NUL */
    bool at_end;                   /* the file has no more */
    char *text;                    /* the string read last */
    size_t text_len, text_cap;
    char buffer[BUFFER_BYTES + 1];
};

ptq_status json_stream_open(const char *path, json_stream **out, ptq_error *err)
{
    json_stream *s = mem_zalloc(sizeof *s);
    if (!s)
        return error_no_memory(err, sizeof *s, "reading JSON");
    s->line = 1;
    s->path = mem_strdup(path);
    s->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    s->file = fopen(path, "rb");
    ptq_status status = PTQ_OK;
    if (!s->path || !s->c_locale)
        status = error_no_memory(err, strlen(path), "a file name");
    else if (!s->file)
        status = error_set(err, PTQ_IO, "cannot open '%s': %s", path, strerror(errno));
    if (status != PTQ_OK) {
        json_stream_close(s);
        return status;
    }
    *out = s;
    return PTQ_OK;
}

void json_stream_close(json_stream *s)
{
    if (!s)
        return;
    if (s->file)
        fclose(s->file);
    if (s->c_locale)
        freelocale(s->c_locale);
    mem_free(s->text);
    mem_free(s->path);
    mem_free(s);
}

void json_error_at(const json_stream *s, ptq_status status, ptq_error *err, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    error_set(err, status, "'%s', line %zu, byte %zu: %s", s->path, s->line, s->before + s->pos,
              what);
}

/* At least `n` bytes from pos on are in the buffer, unless the file ends before. */
static ptq_status fill(json_stream *s, size_t n, ptq_error *err)
{
    if (s->len - s->pos >= n || s->at_end)
        return PTQ_OK;
    memmove(s->buffer, s->buffer + s->pos, s->len - s->pos);
    s->before += s->pos;
    s->len -= s->pos;
    s->pos = 0;
    size_t got = fread(s->buffer + s->len, 1, BUFFER_BYTES - s->len, s->file);
    s->at_end = got < BUFFER_BYTES - s->len;
    s->len += got;
    s->buffer[s->len] = '\0';
    if (ferror(s->file))
        return error_set(err, PTQ_IO, "cannot read '%s': %s", s->path, strerror(errno));
    return PTQ_OK;
}

/* Skips blanks; *c is the byte that follows, not taken, or -1 at the end of the file. */
static ptq_status look(json_stream *s, int *c, ptq_error *err)
{
    for (;;) {
        while (s->pos < s->len) {
            char b = s->buffer[s->pos];
            if (b != ' ' && b != '\t' && b != '\r' && b != '\n') {
                *c = (unsigned char)b;
                return PTQ_OK;
            }
            s->line += b == '\n';
            s->pos++;
        }
        if (s->at_end) {
            *c = -1;
            return PTQ_OK;
        }
        PTQ_TRY(fill(s, 1, err));
    }
}

static ptq_status expected(const json_stream *s, const char *what, int c, ptq_error *err)
{
    if (c < 0)
        return json_error(s, PTQ_FORMAT, err, "expected %s, the file ends here", what);
    if (c < 0x20 || c >= 0x7f)
        return json_error(s, PTQ_FORMAT, err, "expected %s, found the byte 0x%02x", what,
                          (unsigned)c);
    return json_error(s, PTQ_FORMAT, err, "expected %s, found '%c'", what, c);
}

static ptq_status begin(json_stream *s, char open, const char *what, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c != open)
        return expected(s, what, c, err);
    if (s->depth == JSON_MAX_DEPTH)
        return json_error(s, PTQ_LIMIT, err, "nested deeper than %d levels", JSON_MAX_DEPTH);
    s->is_first[s->depth++] = true;
    s->pos++;
    return PTQ_OK;
}

/* Ends the level at `close`, else takes the comma that separates items. */
static ptq_status next(json_stream *s, char close, bool *more, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    bool *is_first = &s->is_first[s->depth - 1];
    *more = c != close;
    if (c == close) {
        s->depth--;
        s->pos++;
        return PTQ_OK;
    }
    if (!*is_first) {
        if (c != ',')
            return expected(s, close == ']' ? "',' or ']'" : "',' or '}'", c, err);
        s->pos++;
    }
    *is_first = false;
    return PTQ_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static ptq_status add_bytes(json_stream *s, const char *bytes, size_t n, ptq_error *err)
{
    if (s->text_len + n > MAX_STRING)
        return json_error(s, PTQ_LIMIT, err, "a string longer than %d bytes", MAX_STRING);
    if (s->text_len + n + 1 > s->text_cap) {
        size_t cap = 2 * (s->text_len + n) + 64;
        char *grown = mem_resize(s->text, cap, 1);
        if (!grown)
            return error_no_memory(err, cap, "a string");
        s->text = grown;
        s->text_cap = cap;
    }
    memcpy(s->text + s->text_len, bytes, n);
    s->text_len += n;
    s->text[s->text_len] = '\0';
    return PTQ_OK;
}

/* The four digits after \u, which begin at pos. */
static ptq_status read_unit(json_stream *s, unsigned *unit, ptq_error *err)
{
    PTQ_TRY(fill(s, 4, err));
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = s->pos < s->len ? hex_digit(s->buffer[s->pos]) : -1;
        if (digit < 0)
            return json_error(s, PTQ_FORMAT, err, "\\u needs four hexadecimal digits");
        *unit = *unit << 4 | (unsigned)digit;
        s->pos++;
    }
    return PTQ_OK;
}

/* \uXXXX, or a surrogate pair, as UTF-8. */
static ptq_status read_unicode(json_stream *s, ptq_error *err)
{
    unsigned code, low;
    PTQ_TRY(read_unit(s, &code, err));
    if (code >= 0xd800 && code < 0xdc00) {
        PTQ_TRY(fill(s, 2, err));
        if (s->buffer[s->pos] != '\\' || s->buffer[s->pos + 1] != 'u')
            return json_error(s, PTQ_FORMAT, err, "half a surrogate pair");
        s->pos += 2;
        PTQ_TRY(read_unit(s, &low, err));
        if (low < 0xdc00 || low > 0xdfff)
            return json_error(s, PTQ_FORMAT, err, "half a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return json_error(s, PTQ_FORMAT, err, "half a surrogate pair");
    }
    if (code == 0)
        return json_error(s, PTQ_UNSUPPORTED, err, "a string with a NUL character");
    char utf8[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; code >>= 6)
        utf8[i] = (char)(0x80 | (code & 0x3f));
    utf8[0] = (char)(lead[n] | code);
    return add_bytes(s, utf8, n, err);
}

static ptq_status read_escape(json_stream *s, ptq_error *err)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    s->pos++;
    PTQ_TRY(fill(s, 1, err));
    char c = s->buffer[s->pos];
    if (c == 'u') {
        s->pos++;
        return read_unicode(s, err);
    }
    const char *name = c ? strchr(names, c) : NULL;
    if (!name)
        return json_error(s, PTQ_FORMAT, err, "an unknown escape in a string");
    s->pos++;
    return add_bytes(s, &values[name - names], 1, err);
}

static ptq_status read_text(json_stream *s, const char *what, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c != '"')
        return expected(s, what, c, err);
    s->pos++;
    s->text_len = 0;
    PTQ_TRY(add_bytes(s, "", 0, err));
    for (;;) {
        PTQ_TRY(fill(s, 1, err));
        size_t from = s->pos;
        while (s->pos < s->len && (unsigned char)s->buffer[s->pos] >= 0x20 &&
               s->buffer[s->pos] != '"' && s->buffer[s->pos] != '\\')
            s->pos++;
        PTQ_TRY(add_bytes(s, s->buffer + from, s->pos - from, err));
        if (s->pos == s->len) {
            if (s->at_end)
                return json_error(s, PTQ_FORMAT, err, "the file ends inside a string");
            continue;
        }
        c = s->buffer[s->pos];
        if (c == '\\') {
            PTQ_TRY(read_escape(s, err));
        } else if (c == '"') {
            s->pos++;
            return PTQ_OK;
        } else {
            return expected(s, "the rest of a string", c, err);
        }
    }
}

/* A number as its decimal digits: (-1)^negative * digits * 10^power. */
typedef struct decimal {
    const char *end;
    uint64_t digits;
    int n_digits; /* significant ones; beyond EXACT_DIGITS `digits` is not the whole number */
    int power;
    bool negative;
} decimal;

static const char *scan_digits(const char *p, decimal *d, int power_step)
{
    for (; *p >= '0' && *p <= '9'; p++) {
        if (d->n_digits || *p != '0')
            d->n_digits++;
        if (d->n_digits <= EXACT_DIGITS)
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
        d->power += power_step;
    }
    return p;
}

/* false: not a JSON number. The text ends with NUL. */
static bool scan_number(const char *p, decimal *d)
{
    *d = (decimal){.negative = *p == '-'};
    p += d->negative;
    const char *from = p;
    p = scan_digits(p, d, 0);
    if (p == from || (p > from + 1 && *from == '0'))
        return false;
    if (*p == '.') {
        from = ++p;
        p = scan_digits(p, d, -1);
        if (p == from)
            return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        bool negative = *p == '-';
        p += *p == '-' || *p == '+';
        from = p;
        int power = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            power = power < 10000 ? power * 10 + (*p - '0') : power;
        if (p == from)
            return false;
        d->power += negative ? -power : power;
    }
    d->end = p;
    return true;
}

/* Small numbers exactly by one multiplication or division (W. Clinger, "How to read floating point
 * numbers accurately", 1990): both operands are exact, so the result is correctly rounded. */
static bool small_number(const decimal *d, double *value)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->n_digits > EXACT_DIGITS || d->power < -EXACT_POWER || d->power > EXACT_POWER)
        return false;
    double v = (double)d->digits;
    v = d->power < 0 ? v / powers[-d->power] : v * powers[d->power];
    *value = d->negative ? -v : v;
    return true;
}

ptq_status json_read_number(json_stream *s, double *value, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c != '-' && (c < '0' || c > '9'))
        return expected(s, "a number", c, err);
    PTQ_TRY(fill(s, MAX_NUMBER + 1, err));
    const char *from = s->buffer + s->pos;
    decimal d;
    if (!scan_number(from, &d))
        return json_error(s, PTQ_FORMAT, err, "a malformed number");
    if (d.end - from > MAX_NUMBER)
        return json_error(s, PTQ_LIMIT, err, "a number of more than %d characters", MAX_NUMBER);
    double v;
    if (!small_number(&d, &v)) {
        locale_t old = uselocale(s->c_locale);
        v = strtod(from, NULL);
        uselocale(old);
    }
    if (!isfinite(v))
        return json_error(s, PTQ_FORMAT, err, "a number too large for a double");
    s->pos += (size_t)(d.end - from);
    *value = v;
    return PTQ_OK;
}

ptq_status json_read_integer(json_stream *s, int64_t *value, ptq_error *err)
{
    double v = 0;
    PTQ_TRY(json_read_number(s, &v, err));
    if (v != floor(v) || fabs(v) >= 0x1p53)
        return json_error(s, PTQ_FORMAT, err, "expected an integer, found %g", v);
    *value = (int64_t)v;
    return PTQ_OK;
}

static ptq_status read_word(json_stream *s, const char *word, ptq_error *err)
{
    size_t n = strlen(word);
    PTQ_TRY(fill(s, n, err));
    if (s->len - s->pos < n || memcmp(s->buffer + s->pos, word, n) != 0)
        return json_error(s, PTQ_FORMAT, err, "expected '%s'", word);
    s->pos += n;
    return PTQ_OK;
}

ptq_status json_read_flag(json_stream *s, bool *value, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c == 't' || c == 'f') {
        PTQ_TRY(read_word(s, c == 't' ? "true" : "false", err));
        *value = c == 't';
        return PTQ_OK;
    }
    double v = 0;
    PTQ_TRY(json_read_number(s, &v, err));
    *value = v != 0;
    return PTQ_OK;
}

ptq_status json_read_string(json_stream *s, const char **text, ptq_error *err)
{
    PTQ_TRY(read_text(s, "a string", err));
    *text = s->text;
    return PTQ_OK;
}

ptq_status json_begin_object(json_stream *s, ptq_error *err)
{
    return begin(s, '{', "an object", err);
}

ptq_status json_begin_array(json_stream *s, ptq_error *err)
{
    return begin(s, '[', "an array", err);
}

ptq_status json_next_key(json_stream *s, const char **key, ptq_error *err)
{
    bool more;
    PTQ_TRY(next(s, '}', &more, err));
    if (!more) {
        *key = NULL;
        return PTQ_OK;
    }
    PTQ_TRY(read_text(s, "a name in double quotes", err));
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c != ':')
        return expected(s, "':'", c, err);
    s->pos++;
    *key = s->text;
    return PTQ_OK;
}

ptq_status json_next_item(json_stream *s, bool *more, ptq_error *err)
{
    return next(s, ']', more, err);
}

ptq_status json_read_numbers(json_stream *s, double *values, int n, ptq_error *err)
{
    bool more;
    PTQ_TRY(json_begin_array(s, err));
    for (int i = 0; i < n; i++) {
        PTQ_TRY(json_next_item(s, &more, err));
        if (!more)
            return json_error(s, PTQ_FORMAT, err, "expected %d numbers, found %d", n, i);
        PTQ_TRY(json_read_number(s, &values[i], err));
    }
    PTQ_TRY(json_next_item(s, &more, err));
    return more ? json_error(s, PTQ_FORMAT, err, "expected %d numbers, found more", n) : PTQ_OK;
}

ptq_status json_peek(json_stream *s, json_kind *kind, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    if (c == '{')
        *kind = JSON_OBJECT;
    else if (c == '[')
        *kind = JSON_ARRAY;
    else if (c == '"')
        *kind = JSON_STRING;
    else if (c == '-' || (c >= '0' && c <= '9'))
        *kind = JSON_NUMBER;
    else if (c == 't' || c == 'f')
        *kind = JSON_BOOL;
    else if (c == 'n')
        *kind = JSON_NULL;
    else
        *kind = JSON_OTHER;
    return PTQ_OK;
}

static ptq_status skip_scalar(json_stream *s, json_kind kind, ptq_error *err)
{
    double number;
    bool flag = false;
    int c;
    switch (kind) {
    case JSON_STRING:
        return read_text(s, "a string", err);
    case JSON_NUMBER:
        return json_read_number(s, &number, err);
    case JSON_BOOL:
        return json_read_flag(s, &flag, err);
    case JSON_NULL:
        return read_word(s, "null", err);
    default:
        PTQ_TRY(look(s, &c, err));
        return expected(s, "a value", c, err);
    }
}

/* Calls itself at most JSON_MAX_DEPTH deep: begin() refuses more. */
ptq_status json_skip(json_stream *s, ptq_error *err)
{
    json_kind kind;
    PTQ_TRY(json_peek(s, &kind, err));
    if (kind == JSON_OBJECT) {
        const char *key = NULL;
        PTQ_TRY(json_begin_object(s, err));
        for (;;) {
            PTQ_TRY(json_next_key(s, &key, err));
            if (!key)
                return PTQ_OK;
            PTQ_TRY(json_skip(s, err));
        }
    }
    if (kind == JSON_ARRAY) {
        bool more = false;
        PTQ_TRY(json_begin_array(s, err));
        for (;;) {
            PTQ_TRY(json_next_item(s, &more, err));
            if (!more)
                return PTQ_OK;
            PTQ_TRY(json_skip(s, err));
        }
    }
    return skip_scalar(s, kind, err);
}

ptq_status json_end(json_stream *s, ptq_error *err)
{
    int c;
    PTQ_TRY(look(s, &c, err));
    return c < 0 ? PTQ_OK : expected(s, "the end of the file", c, err);
}
