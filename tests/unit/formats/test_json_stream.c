/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "formats/json_stream.h"

static char dir[512];

static json_stream *open_text(const char *text, size_t n)
{
    ptq_error err;
    char *path = path_join(dir, "a.json");
    json_stream *s = NULL;
    assert_ok(file_write(path, text, n, &err));
    assert_ok(json_stream_open(path, &s, &err));
    mem_free(path);
    return s;
}

static json_stream *open_json(const char *text)
{
    return open_text(text, strlen(text));
}

static void a_document_is_read_in_order(void **state)
{
    (void)state;
    ptq_error err;
    json_stream *s =
        open_json(" {\"a\" : [1, -2.5e1 ,3],\n\"b\":\"x\\ty\\u00e4\\ud83d\\ude00\",\"c\":"
                  "{\"deep\":[[],{}, null,true]},\"d\":false} ");
    const char *key, *text;
    bool more, flag;
    double v;
    int64_t i;
    json_kind kind;
    assert_ok(json_begin_object(s, &err));
    assert_ok(json_next_key(s, &key, &err));
    assert_string_equal(key, "a");
    assert_ok(json_begin_array(s, &err));
    assert_ok(json_next_item(s, &more, &err));
    assert_ok(json_read_integer(s, &i, &err));
    assert_int_equal(i, 1);
    assert_ok(json_next_item(s, &more, &err));
    assert_ok(json_read_number(s, &v, &err));
    assert_true(v == -25);
    assert_ok(json_next_item(s, &more, &err));
    assert_ok(json_read_number(s, &v, &err));
    assert_ok(json_next_item(s, &more, &err));
    assert_false(more);
    assert_ok(json_next_key(s, &key, &err));
    assert_ok(json_peek(s, &kind, &err));
    assert_int_equal(kind, JSON_STRING);
    assert_ok(json_read_string(s, &text, &err));
    assert_string_equal(text, "x\ty\xc3\xa4\xf0\x9f\x98\x80");
    assert_ok(json_next_key(s, &key, &err));
    assert_ok(json_skip(s, &err));
    assert_ok(json_next_key(s, &key, &err));
    assert_string_equal(key, "d");
    assert_ok(json_read_flag(s, &flag, &err));
    assert_false(flag);
    assert_ok(json_next_key(s, &key, &err));
    assert_null(key);
    assert_ok(json_end(s, &err));
    json_stream_close(s);
}

/* Expected values: the same literals through the compiler, which rounds correctly. */
static void numbers_are_correctly_rounded(void **state)
{
    (void)state;
    ptq_error err;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0.0},
        {"0.1", 0.1},
        {"0.00100", 0.001},
        {"123456789012345", 123456789012345.0},
        {"1234567890123456789", 1234567890123456789.0},
        {"0.30000000000000004", 0.30000000000000004},
        {"0.8792312145233154", 0.8792312145233154},
        {"9007199254740993", 9007199254740993.0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"1.7976931348623157E+308", 1.7976931348623157e308},
        {"5e-324", 5e-324},
        {"1e-400", 0.0},
        {"1e23", 1e23},
        {"8.5e+22", 8.5e22},
        {"-450.899", -450.899},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_stream *s = open_json(cases[i].text);
        double v = -1;
        assert_ok(json_read_number(s, &v, &err));
        if (memcmp(&v, &cases[i].value, sizeof v) != 0)
            fail_msg("%s read as %.17g", cases[i].text, v);
        assert_ok(json_end(s, &err));
        json_stream_close(s);
    }
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    ptq_error err;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"[1,]", "byte 3: expected a value, found ']'"},
        {"[1 2]", "byte 3: expected ',' or ']', found '2'"},
        {"[1,\n2,\n x]", "line 3, byte 8: expected a value, found 'x'"},
        {"{\"a\" 1}", "expected ':', found '1'"},
        {"{a:1}", "expected a name in double quotes, found 'a'"},
        {"{\"a\":1,}", "expected a name in double quotes, found '}'"},
        {"[\"abc", "the file ends inside a string"},
        {"[\"a\nb\"]", "expected the rest of a string, found the byte 0x0a"},
        {"[\"\\x\"]", "an unknown escape"},
        {"[\"\\u12g4\"]", "four hexadecimal digits"},
        {"[\"\\ud800x\"]", "half a surrogate pair"},
        {"[\"\\u0000\"]", "a NUL character"},
        {"[01]", "a malformed number"},
        {"[1.]", "a malformed number"},
        {"[-]", "a malformed number"},
        {"[1e]", "a malformed number"},
        {"[1e999]", "too large for a double"},
        {"[NaN]", "expected a value, found 'N'"},
        {"[nul]", "expected 'null'"},
        {"[1", "expected ',' or ']', the file ends here"},
        {"", "expected a value, the file ends here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_stream *s = open_json(cases[i].text);
        assert_int_not_equal(json_skip(s, &err), PTQ_OK);
        if (!strstr(err.message, cases[i].words))
            fail_msg("'%s' gave: %s", cases[i].text, err.message);
        assert_non_null(strstr(err.message, "a.json'"));
        json_stream_close(s);
    }
    json_stream *s = open_json("[] []");
    assert_ok(json_skip(s, &err));
    assert_status(json_end(s, &err), PTQ_FORMAT);
    json_stream_close(s);
    assert_status(json_stream_open("/no/such/file.json", &s, &err), PTQ_IO);
}

static void depth_and_lengths_are_bounded(void **state)
{
    (void)state;
    ptq_error err;
    char text[2000];
    memset(text, '[', sizeof text);
    json_stream *s = open_text(text, sizeof text);
    assert_status(json_skip(s, &err), PTQ_LIMIT);
    json_stream_close(s);
    memset(text, '1', sizeof text);
    s = open_text(text, sizeof text);
    assert_status(json_skip(s, &err), PTQ_LIMIT);
    json_stream_close(s);
    int64_t i;
    s = open_json("1.5");
    assert_status(json_read_integer(s, &i, &err), PTQ_FORMAT);
    json_stream_close(s);
    s = open_json("9007199254740992");
    assert_status(json_read_integer(s, &i, &err), PTQ_FORMAT);
    json_stream_close(s);
}

/* Longer than the reader's buffer, so that numbers and strings fall across its end. */
static void long_documents_are_read_across_the_buffer(void **state)
{
    (void)state;
    ptq_error err;
    enum { N = 60000 };
    char *text = malloc(N * 40);
    assert_non_null(text);
    size_t n = 0;
    for (int i = 0; i < N; i++)
        n += (size_t)snprintf(text + n, 40, "%s%d.25,\"name \\n %d\"", i ? "," : "[", i, i);
    text[n++] = ']';
    json_stream *s = open_text(text, n);
    free(text);
    bool more;
    const char *name;
    char want[40];
    assert_ok(json_begin_array(s, &err));
    for (int i = 0; i < N; i++) {
        double v;
        assert_ok(json_next_item(s, &more, &err));
        assert_ok(json_read_number(s, &v, &err));
        assert_true(v == i + 0.25);
        assert_ok(json_next_item(s, &more, &err));
        assert_ok(json_read_string(s, &name, &err));
        snprintf(want, sizeof want, "name \n %d", i);
        assert_string_equal(name, want);
    }
    assert_ok(json_next_item(s, &more, &err));
    assert_false(more);
    json_stream_close(s);
}

static int set_up(void **state)
{
    (void)state;
    test_temp_dir(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_temp_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read_in_order),
        cmocka_unit_test(numbers_are_correctly_rounded),
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(depth_and_lengths_are_bounded),
        cmocka_unit_test(long_documents_are_read_across_the_buffer),
    };
    return cmocka_run_group_tests_name("json_stream", tests, set_up, tear_down);
}
