/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints that must be refused with a sentence, and odd twins that must load. */
#include "test.h"

#include "base/file.h"
#include "model/model.h"
#include "pt_edit.h"

typedef struct fixture {
    char dir[512];
    archive a; /* a good checkpoint, taken apart */
    record *pkl;
} fixture;

static fixture setup_archive(void)
{
    char path[512];
    fixture f;
    test_temp_dir(f.dir);
    f.a = archive_read(test_demo("yolov7-shapes.pt", path));
    f.pkl = archive_record(&f.a, "data.pkl");
    return f;
}

static void teardown(fixture *f)
{
    archive_free(&f->a);
    test_temp_remove(f->dir);
}

static void refused(const char *path, const model_options *options, ptq_status status,
                    const char *part)
{
    ptq_error err;
    model *m = NULL;
    ptq_status got = model_load(path, options, NULL, &m, &err);
    if (got != status || !strstr(err.message, part) || !strstr(err.message, path))
        fail_msg("status %d, '%s' lacks '%s' or the path", got, got ? err.message : "", part);
    assert_null(m);
}

static void refused_bytes(const fixture *f, const void *bytes, size_t size, ptq_status status,
                          const char *part)
{
    ptq_error err;
    char *path = path_join(f->dir, "bytes.pt");
    assert_ok(file_write(path, bytes, size, &err));
    refused(path, NULL, status, part);
    mem_free(path);
}

static void refused_archive(fixture *f, ptq_status status, const char *part)
{
    refused(archive_write(&f->a, f->dir, "bad.pt", "archive", false), NULL, status, part);
}

static void files_that_are_no_checkpoints(void **state)
{
    (void)state;
    fixture f = setup_archive();
    char tar[600] = "pickle";
    memcpy(tar + 257, "ustar", 5);
    static const char legacy[] = "\x80\x02\x8a\x0al\xfc\x9c"
                                 "F\xf9 j\xa8P\x19.";
    refused("/no/such/file.pt", NULL, PTQ_IO, "No such file");
    refused(f.dir, NULL, PTQ_IO, "a folder");
    refused("/dev/zero", NULL, PTQ_IO, "not a file");
    refused_bytes(&f, "", 0, PTQ_FORMAT, "is empty");
    refused_bytes(&f, "hello\n", 6, PTQ_FORMAT, "neither a PyTorch checkpoint nor an ONNX file");
    refused_bytes(&f, "version https://git-lfs.github.com/spec/v1\n", 43, PTQ_FORMAT, "lfs pull");
    refused_bytes(&f, legacy, sizeof legacy - 1, PTQ_UNSUPPORTED, "before 1.6");
    refused_bytes(&f, tar, sizeof tar, PTQ_UNSUPPORTED, "before 1.6");
    refused_bytes(&f, "PK\3\4", 4, PTQ_FORMAT, "not a whole zip archive");
    mem_free(f.pkl->name);
    f.pkl->name = mem_strdup("other.pkl");
    refused_archive(&f, PTQ_FORMAT, "without 'data.pkl'");
    teardown(&f);
}

static void archives_that_are_damaged(void **state)
{
    (void)state;
    ptq_error err;
    fixture f = setup_archive();
    char *data;
    size_t size;
    const char *path = archive_write(&f.a, f.dir, "whole.pt", "archive", false);
    assert_ok(file_read(path, 0, &data, &size, &err));
    refused_bytes(&f, data, size / 2, PTQ_FORMAT, "not a whole zip archive");
    for (size_t i = size - 2000; i < size; i++)
        data[i] ^= 0x5a;
    refused_bytes(&f, data, size, PTQ_FORMAT, "zip archive");
    mem_free(data);

    record *longest = archive_longest(&f.a);
    size_t whole = longest->size;
    longest->size = 64;
    refused_archive(&f, PTQ_FORMAT, "has 64 bytes instead of");
    longest->size = whole;
    mem_free(longest->data);
    longest->data = NULL;
    refused_archive(&f, PTQ_FORMAT, "is missing");
    mem_free(longest->name);
    longest->name = mem_strdup("constants.pkl");
    record_set(longest, "", 0);
    refused_archive(&f, PTQ_UNSUPPORTED, "TorchScript");
    teardown(&f);
}

static void pickles_with_intent(void **state)
{
    (void)state;
    fixture f = setup_archive();
    static const char call[] = "cposix\nsystem\nX\x04\x00\x00\x00true\x85R0";
    record_splice(f.pkl, 2, 0, call, sizeof call - 1);
    refused_archive(&f, PTQ_FORMAT, "'posix.system'");

    enum { N = 1000000 };
    char *deep = mem_alloc(2 * N + 2);
    memcpy(deep, "\x80\x02", 2);
    memset(deep + 2, ']', N);
    memset(deep + 2 + N, 'a', N - 1);
    deep[2 * N + 1] = '.';
    record_set(f.pkl, deep, 2 * N + 2);
    mem_free(deep);
    refused_archive(&f, PTQ_LIMIT, "levels deep");

    record_set(f.pkl, "\x80\x02}r\xff\xff\xff\x7f.", 9);
    refused_archive(&f, PTQ_LIMIT, "memo index 2147483647");
    record_set(f.pkl, "\x80\x02}.", 4);
    refused_archive(&f, PTQ_FORMAT, "neither a checkpoint");
    /* an object that contains itself */
    static const char cycle[] = "\x80\x02}X\x05\x00\x00\x00modelcmodels.yolo\nModel\n)\x81q\x00"
                                "}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x00"
                                "ah\x00ssbs.";
    record_set(f.pkl, cycle, sizeof cycle - 1);
    refused_archive(&f, PTQ_LIMIT, "too many modules, or too deep");
    teardown(&f);
}

/* The first 4-D size of the demo's pickle: (8, 3, 3, 3) of model.0.conv.weight. */
static void sizes_that_overflow(void **state)
{
    (void)state;
    fixture f = setup_archive();
    static const char size[] = "(K\x08K\x03K\x03K\x03t";
    static const char huge[] = "(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f"
                               "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f"
                               "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f"
                               "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3ft";
    size_t at = record_find(f.pkl, size, sizeof size - 1);
    record_splice(f.pkl, at, sizeof size - 1, huge, sizeof huge - 1);
    refused_archive(&f, PTQ_FORMAT, "overflows");
    teardown(&f);
}

static void weights_that_are_no_numbers(void **state)
{
    (void)state;
    fixture f = setup_archive();
    record *longest = archive_longest(&f.a);
    longest->data[101] = 0x7e; /* float16 NaN */
    longest->data[100] = 0x00;
    refused_archive(&f, PTQ_FORMAT, "holds NaN or infinity");
    teardown(&f);
}

static void unknown_modules_are_all_named(void **state)
{
    (void)state;
    fixture f = setup_archive();
    static const char mp[] = "cmodels.common\nMP\n", sppcspc[] = "SPPCSPC\n";
    f.pkl->data[record_find(f.pkl, mp, sizeof mp - 1) + 15] = 'Z';
    f.pkl->data[record_find(f.pkl, sppcspc, sizeof sppcspc - 1)] = 'Z';
    refused_archive(&f, PTQ_UNSUPPORTED,
                    "'models.common.ZP' (model.12), 'models.common.ZPPCSPC' (model.51)");
    teardown(&f);
}

static void options_that_do_not_fit(void **state)
{
    (void)state;
    fixture f = setup_archive();
    const char *path = archive_write(&f.a, f.dir, "good.pt", "archive", false);
    const model_options ema = {.weights = "ema"}, odd = {.weights = "teacher"},
                        small = {.max_bytes = 1000}, flat = {.max_depth = 3},
                        lost = {.cfg = "/no/such.yaml"};
    refused(path, &ema, PTQ_FORMAT, "holds no 'ema'");
    refused(path, &odd, PTQ_USAGE, "'teacher'");
    refused(path, &small, PTQ_LIMIT, "larger than the limit of 1000 bytes");
    refused(path, &flat, PTQ_LIMIT, "more than 3 levels deep");
    refused(path, &lost, PTQ_IO, "'/no/such.yaml'");
    teardown(&f);
}

/* Flipped bits may load or not, but nothing else may happen. */
static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    fixture f = setup_archive();
    test_rng rng = {5};
    char *good = mem_alloc(f.pkl->size);
    memcpy(good, f.pkl->data, f.pkl->size);
    for (int round = 0; round < 12; round++) {
        ptq_error err;
        model *m = NULL;
        memcpy(f.pkl->data, good, f.pkl->size);
        int n_flips = round < 6 ? 1 : 40;
        for (int i = 0; i < n_flips; i++)
            f.pkl->data[(size_t)(test_uniform(&rng) * (double)f.pkl->size)] ^=
                (char)(1 << (int)(test_uniform(&rng) * 8));
        if (model_load(archive_write(&f.a, f.dir, "noise.pt", "archive", false), NULL, NULL, &m,
                       &err) == PTQ_OK)
            model_destroy(m);
    }
    mem_free(good);
    teardown(&f);
}

static void twins_load(void **state)
{
    (void)state;
    fixture f = setup_archive();
    static const struct {
        const char *root;
        bool is_packed;
    } twins[] = {{"yolo_best", false}, {"archive", true}};
    for (int i = 0; i < 2; i++) {
        ptq_error err;
        model *m;
        const char *path = archive_write(&f.a, f.dir, "twin.pt", twins[i].root, twins[i].is_packed);
        assert_ok(model_load(path, NULL, NULL, &m, &err));
        assert_int_equal(m->n_parameters, 2350290);
        model_destroy(m);
    }
    teardown(&f);
}

/* As the official fuse() leaves it: the head's `forward` is getattr(self, 'fuseforward'), and its
 * implicit parameters are still there but in the convolutions already. */
static void a_fused_head_is_not_fused_again(void **state)
{
    (void)state;
    ptq_error err;
    model *m;
    fixture f = setup_archive();
    static const char class[] = "cmodels.yolo\nIDetect\n";
    size_t at = record_find(f.pkl, class, sizeof class - 1) + sizeof class - 1;
    const char *p = f.pkl->data + at; /* r.... ) \x81 r.... } r.... ( */
    assert_true(p[5] == ')' && p[7] == 'r' && p[12] == '}' && p[18] == '(');
    char forward[] = "X\x07\x00\x00\x00"
                     "forwardc__builtin__\ngetattr\njSELFX\x0b\x00\x00\x00"
                     "fuseforward\x86R";
    memcpy(strstr(forward + 5, "SELF"), p + 8, 4);
    record_splice(f.pkl, at + 19, 0, forward, sizeof forward - 1);
    assert_ok(
        model_load(archive_write(&f.a, f.dir, "fused.pt", "archive", false), NULL, NULL, &m, &err));
    assert_int_equal(graph_find_node(m->graph, "model.105.ia.0"), NODE_NONE);
    assert_int_equal(graph_find_node(m->graph, "model.105.im.2"), NODE_NONE);
    assert_true(graph_find_node(m->graph, "model.105.m.0") != NODE_NONE);
    model_destroy(m);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_no_checkpoints),
        cmocka_unit_test(archives_that_are_damaged),
        cmocka_unit_test(pickles_with_intent),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test(weights_that_are_no_numbers),
        cmocka_unit_test(unknown_modules_are_all_named),
        cmocka_unit_test(options_that_do_not_fit),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(twins_load),
        cmocka_unit_test(a_fused_head_is_not_fused_again),
    };
    return cmocka_run_group_tests_name("pt_hostile", tests, NULL, NULL);
}
