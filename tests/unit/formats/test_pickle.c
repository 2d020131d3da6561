/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/mem.h"
#include "formats/pickle.h"
#include "formats/zip_archive.h"

#define PARSE(bytes, limits) pickle_parse(bytes, sizeof(bytes) - 1, limits, NULL, &doc, &err)

/* {'a': [1, -2, 70000, 2**40, -1, 255, 2**62, 0], 't': (1.5, None, True, False), 'u': 'h\xe9',
 *  'n': {(1, 2): 'x'}, 's': {'only'}, 'b': b'\0\xff'} by CPython 3.11's pickle.dumps. */
static const char PROTOCOL_2[] =
    "\x80\x02}q\x00(X\x01\x00\x00\x00"
    "aq\x01]q\x02(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01"
    "J\xff\xff\xff\xffK\xff\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x00"
    "eX\x01\x00\x00\x00tq\x03(G\x3f\xf8\x00\x00\x00\x00\x00\x00N\x88\x89tq\x04X\x01\x00\x00\x00"
    "uq\x05X\x03\x00\x00\x00h\xc3\xa9q\x06X\x01\x00\x00\x00nq\x07}q\x08K\x01K\x02\x86q\x09"
    "X\x01\x00\x00\x00xq\x0asX\x01\x00\x00\x00sq\x0b"
    "c__builtin__\nset\nq\x0c]q\x0dX\x04\x00\x00\x00onlyq\x0e"
    "a\x85q\x0fRq\x10X\x01\x00\x00\x00"
    "bq\x11"
    "c_codecs\nencode\nq\x12X\x03\x00\x00\x00\x00\xc3\xbfq\x13X\x06\x00\x00\x00latin1q\x14"
    "\x86q\x15Rq\x16u.";
static const char PROTOCOL_4[] =
    "\x80\x04\x95\x7a\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
    "a\x94]\x94(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01"
    "J\xff\xff\xff\xffK\xff\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x00"
    "e\x8c\x01t\x94(G\x3f\xf8\x00\x00\x00\x00\x00\x00N\x88\x89t\x94\x8c\x01u\x94\x8c\x03h\xc3\xa9"
    "\x94\x8c\x01n\x94}\x94K\x01K\x02\x86\x94\x8c\x01x\x94s\x8c\x01s\x94\x8f\x94(\x8c\x04only\x94"
    "\x90\x8c\x01"
    "b\x94"
    "C\x02\x00\xff\x94u.";

static void check_values(const pickle_value *root)
{
    static const int64_t ints[] = {1, -2, 70000, (int64_t)1 << 40, -1, 255, (int64_t)1 << 62, 0};
    size_t n;
    pickle_value *const *item = pickle_items(pickle_get(root, "a"), &n);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++) {
        int64_t value;
        assert_true(pickle_int(item[i], &value));
        assert_int_equal(value, ints[i]);
    }
    item = pickle_items(pickle_get(root, "t"), &n);
    assert_int_equal(n, 4);
    double number;
    bool truth;
    assert_true(pickle_double(item[0], &number) && number == 1.5);
    assert_true(pickle_is_none(item[1]));
    assert_true(pickle_bool(item[2], &truth) && truth);
    assert_true(pickle_bool(item[3], &truth) && !truth);
    assert_string_equal(pickle_str(pickle_get(root, "u")), "h\xc3\xa9");
    const pickle_value *dict = pickle_get(root, "n");
    assert_int_equal(dict->as.dict.n, 1);
    assert_int_equal(dict->as.dict.pairs[0].key->kind, PICKLE_TUPLE);
    assert_string_equal(pickle_str(dict->as.dict.pairs[0].value), "x");
    const pickle_value *set = pickle_get(root, "s");
    assert_int_equal(set->kind, PICKLE_SET);
    item = pickle_items(set, &n);
    assert_int_equal(n, 1);
    assert_string_equal(pickle_str(item[0]), "only");
    const pickle_value *bytes = pickle_get(root, "b");
    assert_int_equal(bytes->kind, PICKLE_BYTES);
    assert_int_equal(bytes->as.text.size, 2);
    assert_memory_equal(bytes->as.text.data, "\x00\xff", 2);
    assert_null(pickle_get(root, "absent"));
}

static void python_values_are_read(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    assert_ok(PARSE(PROTOCOL_2, NULL));
    check_values(pickle_doc_root(doc));
    pickle_doc_destroy(doc);
    size_t used;
    assert_ok(pickle_parse(PROTOCOL_4, sizeof PROTOCOL_4, NULL, &used, &doc, &err));
    assert_int_equal(used, sizeof PROTOCOL_4 - 1);
    check_values(pickle_doc_root(doc));
    pickle_doc_destroy(doc);
}

#define STORAGE(type, count)                                                                       \
    "(U\x07storagectorch\n" type "\nU\x01"                                                         \
    "7U\x03"                                                                                       \
    "cpu" count "tQ"
#define TENSOR(storage, offset, size, stride)                                                      \
    "\x80\x02"                                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset size stride "\x89}tR."

static void tensors_are_described(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    assert_ok(
        PARSE(TENSOR(STORAGE("HalfStorage", "K\x0c"), "K\x02", "K\x02K\x03\x86", "K\x01K\x04\x86"),
              NULL));
    const pickle_value *v = pickle_doc_root(doc);
    assert_int_equal(v->kind, PICKLE_TENSOR);
    const pickle_tensor *t = v->as.tensor;
    assert_string_equal(t->storage->key, "7");
    assert_int_equal(t->element, PICKLE_ELEMENT_F16);
    assert_int_equal(t->offset, 2);
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->stride[1], 4);
    assert_int_equal(t->n_elements, 6);
    pickle_doc_destroy(doc);
}

/* An object is stored in the memo before its state is: the cycle must close on the same value. */
static void cycles_are_allowed(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    assert_ok(PARSE("\x80\x02"
                    "cmodels.common\nConv\n)\x81q\x00}(U\x07"
                    "forwardc__builtin__\ngetattr\nh\x00U\x0b"
                    "fuseforward\x86RU\x04selfh\x00ub.",
                    NULL));
    const pickle_value *v = pickle_doc_root(doc);
    char text[256];
    assert_string_equal(pickle_class(v, text), "models.common.Conv");
    assert_ptr_equal(pickle_attr(v, "self"), v);
    assert_int_equal(pickle_attr(v, "forward")->kind, PICKLE_OPAQUE);
    pickle_doc_destroy(doc);
}

static const struct {
    const char *bytes;
    size_t size;
    ptq_status status;
    const char *part;
} HOSTILE[] = {
#define CASE(bytes, status, part)                                                                  \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, status, part                                                     \
    }
    CASE("", PTQ_FORMAT, "byte 0: it ends without a result"),
    CASE("hello", PTQ_FORMAT, "memo"),
    CASE("\x80\x02"
         "cposix\nsystem\nU\x04true\x85R.",
         PTQ_FORMAT, "byte 2: it refers to 'posix.system'"),
    CASE("\x80\x02"
         "c__builtin__\neval\n.",
         PTQ_FORMAT, "'builtins.eval'"),
    CASE("\x80\x02U\x0asubprocessU\x05Popen\x93.", PTQ_FORMAT, "'subprocess.Popen'"),
    CASE("\x80\x02"
         "cos.path\njoin\n.",
         PTQ_FORMAT, "'os.path.join'"),
    CASE("\x80\x02"
         "cmystery\nthing\n)R.",
         PTQ_UNSUPPORTED, "it calls 'mystery.thing'"),
    CASE("\x80\x02]]R.", PTQ_FORMAT, "not a function"),
    CASE("\x80\x02}r\xff\xff\xff\x7f.", PTQ_LIMIT, "memo index 2147483647"),
    CASE("\x80\x02j\xff\xff\xff\xff.", PTQ_FORMAT, "memo 4294967295 was never stored"),
    CASE("\x80\x02h\x00.", PTQ_FORMAT, "memo 0 was never stored"),
    CASE("\x80\x02X\xff\xff\xff\xff"
         "abc",
         PTQ_FORMAT, "middle of an operand"),
    CASE("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
         "abc",
         PTQ_FORMAT, "middle of an operand"),
    CASE("\x80\x02t.", PTQ_FORMAT, "a mark is missing"),
    CASE("\x80\x02K\x01\x86.", PTQ_FORMAT, "too few values"),
    CASE("\x80\x02}(K\x01"
         "e.",
         PTQ_FORMAT, "no list"),
    CASE("\x80\x02}(K\x01u.", PTQ_FORMAT, "a key without a value"),
    CASE("\x80\x02K\x01K\x02"
         "a.",
         PTQ_FORMAT, "no list"),
    CASE("\x80\x09N.", PTQ_UNSUPPORTED, "protocol 9"),
    CASE("\x80\x02"
         "cnoend",
         PTQ_FORMAT, "a name without an end"),
    CASE("\x80\x02ios\nsystem\n.", PTQ_FORMAT, "opcode 0x69"),
    CASE("\x80\x02U\x01xQ.", PTQ_FORMAT, "persistent id"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x00", "K\x05\x85", "K\x01\x85"), PTQ_FORMAT,
         "reaches element 4 of storage '7', which has 4"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x03", "K\x02\x85", "K\x01\x85"), PTQ_FORMAT,
         "reaches element 4"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x00",
                "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f"
                "K\x08\x86",
                "K\x00K\x00\x86"),
         PTQ_FORMAT, "overflows"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x00", "K\x03\x85",
                "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"),
         PTQ_FORMAT, "overflows"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85"),
         PTQ_FORMAT, "offset"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"),
         PTQ_FORMAT, "size"),
    CASE(TENSOR(STORAGE("FloatStorage", "K\x04"), "K\x00", "K\x01\x85", ")"), PTQ_FORMAT,
         "1 sizes but 0 strides"),
    CASE(TENSOR(STORAGE("FloatStorage", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"), "K\x00", ")",
                ")"),
         PTQ_FORMAT, "impossible number"),
    CASE(TENSOR(STORAGE("OddStorage", "K\x04"), "K\x00", ")", ")"), PTQ_UNSUPPORTED,
         "unknown type 'OddStorage'"),
};

static void hostile_pickles_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    for (size_t i = 0; i < sizeof HOSTILE / sizeof *HOSTILE; i++) {
        ptq_status status = pickle_parse(HOSTILE[i].bytes, HOSTILE[i].size, NULL, NULL, &doc, &err);
        if (status != HOSTILE[i].status || !strstr(err.message, HOSTILE[i].part))
            fail_msg("case %zu: status %d, '%s' lacks '%s'", i, status, err.message,
                     HOSTILE[i].part);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    enum { N = 100000 };
    char *deep = malloc(2 * N + 2);
    assert_non_null(deep);
    memcpy(deep, "\x80\x02", 2);
    memset(deep + 2, ']', N);
    memset(deep + 2 + N, 'a', N - 1);
    deep[2 * N + 1] = '.';
    assert_status(pickle_parse(deep, 2 * N + 2, NULL, NULL, &doc, &err), PTQ_LIMIT);
    assert_non_null(strstr(err.message, "more than 1000 levels deep"));
    const pickle_limits small = {.max_bytes = 4096};
    assert_status(pickle_parse(deep, 2 * N + 2, &small, NULL, &doc, &err), PTQ_LIMIT);
    const pickle_limits shallow = {.max_depth = 2};
    assert_status(PARSE("\x80\x02]]]]"
                        "aaa.",
                        &shallow),
                  PTQ_LIMIT);
    assert_ok(PARSE("\x80\x02]]]"
                    "aa.",
                    &shallow));
    pickle_doc_destroy(doc);
    free(deep);
}

/* Flipped bits may give any document or any error, but nothing else. */
static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    ptq_error err;
    pickle_doc *doc;
    test_rng rng = {5};
    for (int round = 0; round < 3000; round++) {
        char bytes[sizeof PROTOCOL_2];
        memcpy(bytes, PROTOCOL_2, sizeof bytes);
        for (int i = 0; i < 4; i++)
            bytes[(size_t)(test_uniform(&rng) * sizeof bytes)] ^=
                (char)(1 << (int)(test_uniform(&rng) * 8));
        if (pickle_parse(bytes, sizeof bytes - 1, NULL, NULL, &doc, &err) == PTQ_OK)
            pickle_doc_destroy(doc);
    }
}

/* Count of tensors: golden/state_dict.json and the entries of the zip (INDEX.md, gotchas.md). */
static void a_real_checkpoint_is_read(void **state)
{
    (void)state;
    char path[512];
    test_shared("yolov5n/yolov5n.pt", path);
    ptq_error err;
    zip_archive *zip;
    assert_ok(zip_archive_open(path, &zip, &err));
    assert_int_equal(zip_archive_n_records(zip), 358);
    int index = zip_archive_find(zip, "archive/data.pkl");
    assert_true(index >= 0);
    assert_int_equal(zip_archive_size(zip, index), 82957);
    char *data;
    bool crc_matches;
    assert_status(zip_archive_read(zip, index, 1000, &data, NULL, &err), PTQ_LIMIT);
    assert_ok(zip_archive_read(zip, index, 1 << 20, &data, &crc_matches, &err));
    assert_true(crc_matches);
    pickle_doc *doc;
    assert_ok(pickle_parse(data, 82957, NULL, NULL, &doc, &err));
    const pickle_value *model = pickle_get(pickle_doc_root(doc), "model");
    char text[256];
    assert_string_equal(pickle_class(model, text), "models.yolo.Model");
    int64_t nc;
    assert_true(pickle_int(pickle_get(pickle_attr(model, "yaml"), "nc"), &nc));
    assert_int_equal(nc, 80);
    pickle_doc_destroy(doc);
    zip_archive_destroy(zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_values_are_read),
        cmocka_unit_test(tensors_are_described),
        cmocka_unit_test(cycles_are_allowed),
        cmocka_unit_test(hostile_pickles_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(a_real_checkpoint_is_read),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
