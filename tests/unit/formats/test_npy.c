/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "formats/npy.h"

/* Parses a version 1 file made of this header text and data. */
static ptq_status parse(const char *header, const char *data, size_t n_data, npy_array *out,
                        ptq_error *err)
{
    char file[512] = "\x93NUMPY\x01\x00";
    size_t n = strlen(header);
    assert_true(n < 256 && n + n_data < 500);
    file[8] = (char)n;
    memcpy(file + 10, header, n);
    memcpy(file + 10 + n, data, n_data);
    return npy_parse(file, 10 + n + n_data, out, err);
}

/* Expected: np.load of numpy 1.24. */
static void both_orders_and_byte_orders_are_read(void **state)
{
    (void)state;
    ptq_error err;
    npy_array a;
    assert_ok(parse("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }   \n",
                    "\x01\x00\x04\x03\x02\x01\x05\x04\x03\x02\x06\x05", 12, &a, &err));
    assert_int_equal(a.dtype, NPY_I16);
    assert_int_equal(a.rank, 2);
    assert_int_equal(a.dims[1], 3);
    for (int i = 0; i < 6; i++)
        assert_int_equal(((int16_t *)a.data)[i], 257 * i + 1);
    npy_clear(&a);
    assert_ok(parse("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }   \n",
                    "\x00\x01\x03\x04\x01\x02\x04\x05\x02\x03\x05\x06", 12, &a, &err));
    for (int i = 0; i < 6; i++)
        assert_int_equal(((int16_t *)a.data)[i], 257 * i + 1);
    npy_clear(&a);
    assert_ok(parse("{'descr': '>u4', 'fortran_order': False, 'shape': (1,)}", "\x01\x02\x03\x04",
                    4, &a, &err));
    assert_int_equal(*(uint32_t *)a.data, 0x01020304);
    npy_clear(&a);
}

static void every_type_becomes_float(void **state)
{
    (void)state;
    ptq_error err;
    npy_array a;
    assert_ok(parse("{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }\n",
                    "\x00\x3e\x00\xc0\xff\x7b", 6, &a, &err));
    assert_ok(npy_to_f32(&a, &err));
    assert_float_equal(((float *)a.data)[0], 1.5, 0);
    assert_float_equal(((float *)a.data)[1], -2, 0);
    assert_float_equal(((float *)a.data)[2], 65504, 0);
    npy_clear(&a);
    assert_ok(parse("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n",
                    "\x00\x00\x00\x00\x00\x00\x04@", 8, &a, &err));
    assert_int_equal(a.rank, 0);
    assert_int_equal(a.count, 1);
    assert_ok(npy_to_f32(&a, &err));
    assert_float_equal(*(float *)a.data, 2.5, 0);
    npy_clear(&a);
    assert_ok(parse("{'descr': '|b1', 'fortran_order': False, 'shape': (1, 2), }\n", "\x01\x00", 2,
                    &a, &err));
    assert_int_equal(a.dtype, NPY_BOOL);
    assert_ok(npy_to_f32(&a, &err));
    assert_float_equal(((float *)a.data)[0], 1, 0);
    npy_clear(&a);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        ptq_status status;
    } cases[] = {
        {"", PTQ_FORMAT},
        {"{}", PTQ_FORMAT},
        {"{'", PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", PTQ_FORMAT},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", PTQ_UNSUPPORTED},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", PTQ_UNSUPPORTED},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", PTQ_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
         PTQ_UNSUPPORTED},
        /* 2^32 * 2^32 elements wrap to 0 in 64 bits. */
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
         PTQ_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
         PTQ_FORMAT},
    };
    ptq_error err;
    npy_array a;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_status(parse(cases[i].header, "abcd", 4, &a, &err), cases[i].status);
    assert_status(npy_parse("\x93NUMPX\x01\x00\x00\x00", 10, &a, &err), PTQ_FORMAT);
    assert_status(npy_parse("\x93NUM", 4, &a, &err), PTQ_FORMAT);
    assert_status(npy_parse("\x93NUMPY\x09\x00\x00\x00", 10, &a, &err), PTQ_UNSUPPORTED);
    assert_status(npy_parse("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12, &a, &err), PTQ_FORMAT);
    assert_status(npy_read("/no/such/file.npy", 0, &a, &err), PTQ_IO);
}

/* Byte for byte np.save(np.array([[1, 2, 3]], 'f4')). */
static void written_as_numpy_writes(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
    char expected[140];
    memset(expected, ' ', sizeof expected);
    memcpy(expected, "\x93NUMPY\x01\x00v\x00", 10);
    memcpy(expected + 10, header, sizeof header - 1);
    memcpy(expected + 127, "\n\x00\x00\x80?\x00\x00\x00@\x00\x00@@", 13);
    ptq_error err;
    char dir[512], *bytes;
    size_t size;
    char *path = path_join(test_temp_dir(dir), "a.npy");
    assert_ok(npy_write_f32(path, (float[]){1, 2, 3}, 2, (int64_t[]){1, 3}, &err));
    assert_ok(file_read(path, 0, &bytes, &size, &err));
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(bytes, expected, size);
    mem_free(bytes);
    npy_array a = {.dtype = NPY_I64, .rank = 1, .dims = {2}, .data = (int64_t[]){-5, 7}};
    npy_array b;
    assert_ok(npy_write(path, &a, &err));
    assert_ok(npy_read(path, 0, &b, &err));
    assert_int_equal(b.dtype, NPY_I64);
    assert_int_equal(((int64_t *)b.data)[0], -5);
    npy_clear(&b);
    assert_ok(npy_read_f32(path, 0, &b, &err));
    assert_float_equal(((float *)b.data)[1], 7, 0);
    npy_clear(&b);
    assert_status(npy_read(path, 100, &b, &err), PTQ_LIMIT);
    mem_free(path);
    test_temp_remove(dir);
}

static void golden_arrays_are_read(void **state)
{
    (void)state;
    ptq_error err;
    char path[512];
    npy_array a;
    assert_ok(npy_read(test_shared("shapes/golden/preproc/rs_src.npy", path), 0, &a, &err));
    assert_int_equal(a.dtype, NPY_U8);
    assert_int_equal(a.rank, 3);
    assert_int_equal(a.count, 117 * 173 * 3);
    npy_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_orders_and_byte_orders_are_read),
        cmocka_unit_test(every_type_becomes_float),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(written_as_numpy_writes),
        cmocka_unit_test(golden_arrays_are_read),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
