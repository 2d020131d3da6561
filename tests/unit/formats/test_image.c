/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "formats/exif.h"
#include "formats/image.h"
#include "formats/npy.h"

#define GOLDEN "tests/golden/images/"

static void assert_pixels(const char *picture, const char *npy)
{
    ptq_error err;
    image i;
    npy_array want;
    assert_ok(image_read(picture, &i, &err));
    assert_ok(npy_read(npy, 0, &want, &err));
    assert_int_equal(i.height, want.dims[0]);
    assert_int_equal(i.width, want.dims[1]);
    assert_memory_equal(i.pixels, want.data, want.count);
    npy_clear(&want);
    image_clear(&i);
}

/* Expected: OpenCV's imread (tests/golden/images/regenerate_images.py). */
static void pixels_equal_those_of_opencv(void **state)
{
    (void)state;
    static const char *const names[] = {
        "jpeg444.jpg", "jpeg422.jpg",    "jpeg420.jpg",    "progressive.jpg", "grey.jpg",
        "cmyk.jpg",    "exif1.jpg",      "exif2.jpg",      "exif3.jpg",       "exif4.jpg",
        "exif5.jpg",   "exif6.jpg",      "exif7.jpg",      "exif8.jpg",       "grey1.png",
        "grey16.png",  "rgba.png",       "grey_alpha.png", "palette4.png",    "rgb16_adam7.png",
        "turned.png",  "late_chunk.png", "late_scan.jpg",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char picture[128], npy[128];
        snprintf(picture, sizeof picture, GOLDEN "%s", names[i]);
        snprintf(npy, sizeof npy, GOLDEN "%.*s.npy", (int)strcspn(names[i], "."), names[i]);
        print_message("%s\n", names[i]);
        assert_pixels(picture, npy);
    }
}

static void a_photograph_equals_the_golden_one(void **state)
{
    (void)state;
    ptq_error err;
    char path[512];
    image i;
    npy_array bgr;
    assert_ok(image_read(test_shared("shapes/images/val2017/000000000316.jpg", path), &i, &err));
    assert_ok(
        npy_read(test_shared("shapes/golden/preproc/000000000316_bgr.npy", path), 0, &bgr, &err));
    assert_int_equal((size_t)i.width * (size_t)i.height * 3, bgr.count);
    const unsigned char *want = bgr.data;
    for (size_t p = 0; p < bgr.count; p++)
        if (i.pixels[p] != want[p - p % 3 + 2 - p % 3])
            fail_msg("pixel %zu is %d instead of %d", p / 3, i.pixels[p],
                     want[p - p % 3 + 2 - p % 3]);
    npy_clear(&bgr);
    image_clear(&i);
}

static void headers_are_read_without_pixels(void **state)
{
    (void)state;
    ptq_error err;
    image_header h;
    assert_ok(image_probe(GOLDEN "exif8.jpg", &h, &err));
    assert_int_equal(h.width, 16);
    assert_int_equal(h.height, 12);
    assert_int_equal(h.orientation, 8);
    assert_ok(image_probe(GOLDEN "turned.png", &h, &err));
    assert_int_equal(h.orientation, 6);
    assert_ok(image_probe(GOLDEN "late_chunk.png", &h, &err));
    assert_int_equal(h.orientation, 6);
    assert_ok(image_probe(GOLDEN "late_scan.jpg", &h, &err));
    assert_int_equal(h.orientation, 1);
    assert_ok(image_probe(GOLDEN "cmyk.jpg", &h, &err));
    assert_int_equal(h.width, 37);
    assert_int_equal(h.orientation, 1);
}

/* TIFF 6.0: byte order, 42, offset of the directory; entries of 12 bytes. */
static void malformed_exif_counts_as_upright(void **state)
{
    (void)state;
    unsigned char tiff[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0";
    size_t size = sizeof tiff;
    assert_int_equal(exif_orientation(tiff, size), 8);
    assert_int_equal(exif_orientation(tiff, 21), 1); /* the entry is cut */
    assert_int_equal(exif_orientation(tiff, 7), 1);
    tiff[18] = 9;
    assert_int_equal(exif_orientation(tiff, size), 1);
    tiff[18] = 8;
    tiff[12] = 4; /* a LONG */
    assert_int_equal(exif_orientation(tiff, size), 1);
    tiff[12] = 3;
    tiff[4] = 0xff, tiff[7] = 0xff; /* the directory lies outside */
    assert_int_equal(exif_orientation(tiff, size), 1);
    tiff[1] = 'M';
    assert_int_equal(exif_orientation(tiff, size), 1);
}

/* The first `keep` bytes of a golden picture with one byte replaced (at < 0: none). */
static ptq_status read_changed(const char *name, long keep, long at, int value, ptq_error *err)
{
    char dir[512], source[256], *bytes;
    size_t size;
    char *path = path_join(test_temp_dir(dir), "changed");
    snprintf(source, sizeof source, GOLDEN "%s", name);
    if (file_read(source, 0, &bytes, &size, err) != PTQ_OK)
        fail_msg("%s", err->message);
    if (at >= 0)
        bytes[at] = (char)value;
    size_t n = keep < 0 ? size - (size_t)-keep : (size_t)keep;
    if (file_write(path, bytes, n, err) != PTQ_OK)
        fail_msg("%s", err->message);
    image i = {0};
    ptq_status status = image_read(path, &i, err);
    if (status != PTQ_OK) {
        assert_null(i.pixels);
        assert_non_null(strstr(err->message, path));
    }
    image_clear(&i);
    mem_free(bytes);
    mem_free(path);
    test_temp_remove(dir);
    return status;
}

static void damaged_pictures_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    image i;
    assert_status(image_read("/no/such.jpg", &i, &err), PTQ_IO);
    assert_status(image_read("tests", &i, &err), PTQ_IO);
    assert_status(read_changed("jpeg420.jpg", 0, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("jpeg420.jpg", 2, -1, 0, &err), PTQ_UNSUPPORTED);
    assert_status(read_changed("jpeg420.jpg", 100, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("jpeg420.jpg", -60, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("progressive.jpg", -60, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("progressive.jpg", -2, -1, 0, &err), PTQ_FORMAT);
    assert_ok(read_changed("jpeg420.jpg", -2, -1, 0, &err)); /* only the end marker is missing */
    assert_status(read_changed("rgba.png", 40, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("rgba.png", -30, -1, 0, &err), PTQ_FORMAT);
    assert_status(read_changed("rgba.png", -1, 1000, 0, &err), PTQ_FORMAT); /* checksum */
    assert_status(image_read("tests/golden/images/regenerate_images.py", &i, &err),
                  PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "convert"));
}

/* No prefix and no single changed byte of a small picture may crash the reader. */
static void any_damage_ends_in_a_status(void **state)
{
    (void)state;
    ptq_error err;
    static const char *const names[] = {"exif6.jpg", "turned.png"};
    for (int n = 0; n < 2; n++)
        for (long at = 0; at < 330; at += 3) {
            ptq_status cut = read_changed(names[n], at, -1, 0, &err);
            assert_true(cut != PTQ_OK || n == 0);
            (void)read_changed(names[n], -1, at, 0xff, &err);
        }
}

/* A header alone, with a right checksum: 100000 x 100000 RGB. */
static void giants_are_refused_before_they_are_allocated(void **state)
{
    (void)state;
    static const char giant[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0"
        "\0\0\x27\x30\x9c\x9f\0\0\0\0IDAT\x35\xaf\x06\x1e";
    ptq_error err;
    char dir[512];
    image i;
    image_header h;
    char *path = path_join(test_temp_dir(dir), "giant.png");
    assert_ok(file_write(path, giant, sizeof giant - 1, &err));
    assert_status(image_read(path, &i, &err), PTQ_LIMIT);
    assert_non_null(strstr(err.message, "giant.png"));
    assert_non_null(strstr(err.message, "100000 x 100000"));
    assert_status(image_probe(path, &h, &err), PTQ_LIMIT);
    assert_status(image_create(1 << 16, 1 << 16, &i, &err), PTQ_LIMIT);
    assert_status(image_create(0, 5, &i, &err), PTQ_FORMAT);
    mem_free(path);
    test_temp_remove(dir);
}

static void written_pictures_come_back(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512];
    image i, back;
    test_temp_dir(dir);
    assert_ok(image_read(GOLDEN "jpeg444.jpg", &i, &err));
    char *png = path_join(dir, "a.PNG"), *jpeg = path_join(dir, "a.jpg");
    assert_ok(image_write(png, &i, &err));
    assert_ok(image_read(png, &back, &err));
    assert_memory_equal(back.pixels, i.pixels, 37 * 23 * 3);
    image_clear(&back);
    assert_ok(image_write(jpeg, &i, &err));
    assert_ok(image_read(jpeg, &back, &err));
    double sum = 0;
    for (int p = 0; p < 37 * 23 * 3; p++)
        sum += abs(back.pixels[p] - i.pixels[p]);
    assert_true(sum / (37 * 23 * 3) < 8);
    assert_status(image_write("/no/such/dir/a.jpg", &i, &err), PTQ_IO);
    image_clear(&back);
    image_clear(&i);
    mem_free(png);
    mem_free(jpeg);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_equal_those_of_opencv),
        cmocka_unit_test(a_photograph_equals_the_golden_one),
        cmocka_unit_test(headers_are_read_without_pixels),
        cmocka_unit_test(malformed_exif_counts_as_upright),
        cmocka_unit_test(damaged_pictures_are_refused),
        cmocka_unit_test(any_damage_ends_in_a_status),
        cmocka_unit_test(giants_are_refused_before_they_are_allocated),
        cmocka_unit_test(written_pictures_come_back),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
