/* SPDX-License-Identifier: Apache-2.0 */
#include "test_broken.h"

#include <unistd.h>

#include "formats/image.h"
#include "test.h"

void test_broken_picture(const char *path)
{
    ptq_error err;
    image i;
    test_rng r = {1};
    assert_ok(image_create(1200, 1200, &i, &err));
    for (int k = 0; k < 3 * 1200 * 1200; k++)
        i.pixels[k] = (unsigned char)(test_uniform(&r) * 256);
    assert_ok(image_write(path, &i, &err));
    image_clear(&i);
    assert_int_equal(truncate(path, 4 << 20), 0);
}
