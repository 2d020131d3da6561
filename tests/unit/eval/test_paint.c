/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes and labels on pictures: where pixels change, and that text stands out from any background
 * (contrast as WCAG 2 defines it, computed here). */
#include "test.h"

#include "eval/bitmap_font.h"
#include "eval/paint.h"

static ptq_error err;

static const char *const NAMES[] = {"person", "b\xc3\xa9ret"};
static const class_names KNOWN = {NAMES, 2};

static image plain(int width, int height, unsigned char grey)
{
    image i;
    assert_ok(image_create(width, height, &i, &err));
    memset(i.pixels, grey, 3 * (size_t)width * (size_t)height);
    return i;
}

static const unsigned char *at(const image *i, int x, int y)
{
    return i->pixels + 3 * ((size_t)y * (size_t)i->width + (size_t)x);
}

static double luminance(const unsigned char *p)
{
    double sum = 0;
    static const double WEIGHTS[] = {0.2126, 0.7152, 0.0722};
    for (int k = 0; k < 3; k++) {
        double v = p[k] / 255.0;
        sum += WEIGHTS[k] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast(const unsigned char *a, const unsigned char *b)
{
    double x = luminance(a), y = luminance(b);
    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

/* The plate of a box at (40, 60) on small pictures: 12 rows above it. Its corner is the plate's
 * colour, and the letters are black or white. */
static void letters_can_be_read_on_any_class(void **state)
{
    (void)state;
    for (int cls = 0; cls < 80; cls++) {
        image i = plain(200, 120, 128);
        detection d = {40, 60, 160, 110, 0.87f, cls};
        paint_detections(&i, &d, 1, &KNOWN);
        const unsigned char *plate = at(&i, 40, 48);
        int n_letters = 0;
        for (int y = 48; y < 60; y++)
            for (int x = 40; x < 100; x++) {
                const unsigned char *p = at(&i, x, y);
                bool is_letter = p[0] == p[1] && p[1] == p[2] && (p[0] == 0 || p[0] == 255);
                n_letters += is_letter;
                if (is_letter)
                    assert_true(contrast(plate, p) >= 4.5); /* WCAG AA for text */
            }
        assert_in_range(n_letters, 30, 400);
        image_clear(&i);
    }
}

/* The frame has a dark and a light line beside its colour: one of them is seen on any grey. */
static void the_frame_is_seen_on_black_and_on_white(void **state)
{
    (void)state;
    for (int grey = 0; grey <= 255; grey += 255) {
        image i = plain(200, 120, (unsigned char)grey);
        detection d = {40, 60, 160, 110, 0.5f, 0};
        paint_detections(&i, &d, 1, &KNOWN);
        double most = 0;
        for (int y = 100; y < 114; y++) /* across the lower edge */
            most = fmax(most, contrast(at(&i, 100, y), at(&i, 5, 5)));
        assert_true(most >= 3);
        assert_int_equal(at(&i, 100, 85)[0], grey); /* the inside stays */
        assert_int_equal(at(&i, 10, 10)[0], grey);
        image_clear(&i);
    }
}

static void boxes_beyond_the_picture_stay_in_it(void **state)
{
    (void)state;
    image i = plain(33, 17, 100);
    detection dets[] = {{-50, -50, 500, 500, 0.9f, 1},
                        {30, 15, 29, 14, 0.8f, 0},
                        {NAN, 0, INFINITY, 9, 0.7f, 3},
                        {32, 16, 33, 17, 0.6f, 2}};
    paint_detections(&i, dets, 4, &KNOWN);
    class_names none = {0};
    paint_detections(&i, dets, 4, &none);
    image_clear(&i);
}

static void classes_have_a_name_whatever_is_known(void **state)
{
    (void)state;
    char buffer[32];
    class_names none = {0};
    assert_string_equal(class_label(&KNOWN, 0, buffer), "person");
    assert_string_equal(class_label(&KNOWN, 2, buffer), "class 2");
    assert_string_equal(class_label(&KNOWN, -1, buffer), "class -1");
    assert_string_equal(class_label(&none, 7, buffer), "class 7");
    assert_true(font_has("person 0.87"));
    assert_false(font_has(NAMES[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_can_be_read_on_any_class),
        cmocka_unit_test(the_frame_is_seen_on_black_and_on_white),
        cmocka_unit_test(boxes_beyond_the_picture_stay_in_it),
        cmocka_unit_test(classes_have_a_name_whatever_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
