/* SPDX-License-Identifier: Apache-2.0 */
/* Bilinear resizing with weights of 11 bits: the two source pixels of each destination column are
 * blended along the row first, then two such rows are blended. data.md §4.1. */
#include <math.h>
#include <stdint.h>

#include "base/mem.h"
#include "data/resize_internal.h"

enum { ONE = 1 << 11 };

/* For each destination index, the first of two neighbouring source indices and their weights. */
typedef struct taps {
    int *first;
    int16_t *weights; /* pairs; each pair's sum is ONE */
} taps;

static void clear_taps(taps *t)
{
    mem_free(t->first);
    mem_free(t->weights);
}

static ptq_status alloc_taps(taps *t, int n, ptq_error *err)
{
    t->first = mem_array((size_t)n, sizeof *t->first);
    t->weights = mem_array((size_t)n, 2 * sizeof *t->weights);
    if (t->first && t->weights)
        return PTQ_OK;
    clear_taps(t);
    *t = (taps){0};
    return error_no_memory(err, (size_t)n * 8, "resizing a picture");
}

/* The roundings to float are OpenCV's. */
static void find_taps(taps *t, int from, int to, bool area_style)
{
    double scale = resize_scale(from, to), inverse = (double)to / from;
    for (int d = 0; d < to; d++) {
        int s;
        float f;
        if (area_style) {
            s = (int)floor(d * scale);
            f = (float)((d + 1) - (s + 1) * inverse);
            f = f <= 0 ? 0 : f - floorf(f);
        } else {
            f = (float)((d + 0.5) * scale - 0.5);
            s = (int)floorf(f);
            f -= (float)s;
        }
        t->first[d] = s;
        t->weights[2 * d] = (int16_t)lrintf((1.f - f) * ONE);
        t->weights[2 * d + 1] = (int16_t)lrintf(f * ONE);
    }
}

/* Beyond the left and right border the last pixel counts alone. Its two indices stay inside the
 * row, so that the blending needs no test. */
static void clamp_columns(taps *t, int from, int to)
{
    for (int d = 0; d < to; d++) {
        bool is_left = t->first[d] < 0, is_right = t->first[d] >= from - 1;
        if (!is_left && !is_right)
            continue;
        bool take_second = is_right && from > 1;
        t->first[d] = take_second ? from - 2 : 0;
        t->weights[2 * d] = take_second ? 0 : ONE;
        t->weights[2 * d + 1] = take_second ? ONE : 0;
    }
}

/* Blended pixels in units of 1/128 of a grey level: at most 255 * ONE / 16, which fits 16 bits. */
static void blend_row(const image *src, int y, const taps *columns, int width, int16_t *out)
{
    const unsigned char *row = src->pixels + (size_t)y * (size_t)src->width * 3;
    size_t step = src->width > 1 ? 3 : 0;
    for (int x = 0; x < width; x++, out += 3) {
        const unsigned char *left = row + (size_t)columns->first[x] * 3, *right = left + step;
        int a = columns->weights[2 * x], b = columns->weights[2 * x + 1];
        out[0] = (int16_t)((left[0] * a + right[0] * b) >> 4);
        out[1] = (int16_t)((left[1] * a + right[1] * b) >> 4);
        out[2] = (int16_t)((left[2] * a + right[2] * b) >> 4);
    }
}

/* Each product is cut on its own, also where both rows are the same. */
static void blend_two_rows(const int16_t *upper, const int16_t *lower, const int16_t *weights,
                           size_t n, unsigned char *restrict out)
{
    int16_t a = weights[0], b = weights[1];
    for (size_t i = 0; i < n; i++) {
        int16_t from_upper = (int16_t)((upper[i] * a) >> 16);
        int16_t from_lower = (int16_t)((lower[i] * b) >> 16);
        out[i] = (unsigned char)((from_upper + from_lower + 2) >> 2);
    }
}

static int clamp(int value, int last)
{
    return value < 0 ? 0 : value > last ? last : value;
}

/* The two blended rows in use, and the source rows they hold. Both pointers may name one row. */
typedef struct row_pair {
    int16_t *rows[2];
    int held[2]; /* -1: none */
} row_pair;

/* The blended source row y, in the slot that does not hold `keep`. */
static const int16_t *get_row(row_pair *pair, const image *src, int y, int keep,
                              const taps *columns, int width)
{
    for (int i = 0; i < 2; i++)
        if (pair->held[i] == y)
            return pair->rows[i];
    int slot = pair->held[0] == keep ? 1 : 0;
    blend_row(src, y, columns, width, pair->rows[slot]);
    pair->held[slot] = y;
    return pair->rows[slot];
}

ptq_status resize_linear(const image *src, image *dst, bool area_style, ptq_error *err)
{
    taps columns = {0}, lines = {0};
    size_t row_values = (size_t)dst->width * 3;
    int16_t *buffer = NULL;
    ptq_status status = alloc_taps(&columns, dst->width, err);
    if (status == PTQ_OK)
        status = alloc_taps(&lines, dst->height, err);
    if (status != PTQ_OK)
        goto done;
    buffer = mem_array(row_values, 2 * sizeof *buffer);
    if (!buffer) {
        status = error_no_memory(err, row_values * 4, "resizing a picture");
        goto done;
    }
    find_taps(&columns, src->width, dst->width, area_style);
    clamp_columns(&columns, src->width, dst->width);
    find_taps(&lines, src->height, dst->height, area_style);
    row_pair pair = {{buffer, buffer + row_values}, {-1, -1}};
    for (int y = 0; y < dst->height; y++) {
        int y0 = clamp(lines.first[y], src->height - 1);
        int y1 = clamp(lines.first[y] + 1, src->height - 1);
        const int16_t *upper = get_row(&pair, src, y0, y1, &columns, dst->width);
        const int16_t *lower = get_row(&pair, src, y1, y0, &columns, dst->width);
        blend_two_rows(upper, lower, lines.weights + 2 * y, row_values,
                       dst->pixels + (size_t)y * row_values);
    }
done:
    mem_free(buffer);
    clear_taps(&lines);
    clear_taps(&columns);
    return status;
}
