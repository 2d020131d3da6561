/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "formats/onnx.pb-c.h"
#include "formats/protobuf_check.h"

/* Checks `n` bytes as a TensorProto: dims 1 (packed or not), data_type 2, float_data 4, raw_data 9;
 * segment 3 holds begin 1 and end 2. */
static ptq_status check(const void *bytes, size_t n, int max_depth, ptq_error *err)
{
    return protobuf_check(bytes, n, &onnx__tensor_proto__descriptor, max_depth, err);
}

#define BYTES(text) text, sizeof(text) - 1

static void messages_pass(void **state)
{
    (void)state;
    ptq_error err;
    assert_ok(check("", 0, 1, &err));
    assert_ok(check(BYTES("\x10\x01"), 1, &err));                 /* data_type 1 */
    assert_ok(check(BYTES("\x08\x03\x0a\x02\x04\x05"), 1, &err)); /* dims 3, then 4, 5 packed */
    assert_ok(check(BYTES("\x22\x04\0\0\x80\x3f\x25\0\0\0\0"), 1, &err)); /* floats both ways */
    assert_ok(check(BYTES("\x4a\x03\xff\xff\xff"), 1, &err));
    assert_ok(check(BYTES("\x1a\x04\x08\x01\x10\x02"), 2, &err));  /* a segment inside */
    assert_ok(check(BYTES("\xfa\x7f\x01x\xf8\x7f\x01"), 1, &err)); /* fields nobody knows */
}

static void broken(const char *bytes, size_t n, const char *words)
{
    ptq_error err;
    assert_status(check(bytes, n, 4, &err), PTQ_FORMAT);
    if (!strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
}

static void broken_bytes_are_named(void **state)
{
    (void)state;
    broken(BYTES("\x10\x01\x4a\x04\xff\xff"), "longer than what holds it at byte 3");
    broken(BYTES("\x10\x80"), "a number does not end at byte 0");
    broken(BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "does not end");
    broken(BYTES("\x25\0\0"), "cut off");
    broken(BYTES("\x22\x03\0\0\0"), "in the middle of one");
    broken(BYTES("\x0a\x02\x04\x85"), "in the middle of one");
    broken(BYTES("\x12\x01\x01"), "wrong wire type");
    broken(BYTES("\x02\x01\x01"), "no field begins");
    broken(BYTES("\xfb\x01"), "unknown wire type");
    broken(BYTES("\x1a\x02\x08\x80"), "inside a Segment");
    broken(BYTES("\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "longer than what holds it");
}

static void depth_is_limited(void **state)
{
    (void)state;
    ptq_error err;
    assert_status(check(BYTES("\x1a\x04\x08\x01\x10\x02"), 1, &err), PTQ_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_pass),
        cmocka_unit_test(broken_bytes_are_named),
        cmocka_unit_test(depth_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
