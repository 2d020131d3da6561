/* SPDX-License-Identifier: Apache-2.0 */
/* Shrinking: each destination pixel is the mean of the source area it covers. data.md §4.2, §4.3.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "data/resize_internal.h"

/* Four pixels, rounded half up. */
static void halve(const image *src, image *dst)
{
    size_t stride = (size_t)src->width * 3;
    unsigned char *out = dst->pixels;
    for (int y = 0; y < dst->height; y++) {
        const unsigned char *a = src->pixels + (size_t)y * 2 * stride, *b = a + stride;
        for (int x = 0; x < dst->width; x++, a += 6, b += 6, out += 3)
            for (int c = 0; c < 3; c++)
                out[c] = (unsigned char)((a[c] + a[c + 3] + b[c] + b[c + 3] + 2) >> 2);
    }
}

/* Any other block: an exact sum, times the reciprocal as a float, rounded half to even. */
void resize_blocks(const image *src, image *dst, int block_x, int block_y)
{
    if (block_x == 2 && block_y == 2) {
        halve(src, dst);
        return;
    }
    float reciprocal = 1.f / (float)(block_x * block_y);
    size_t stride = (size_t)src->width * 3;
    unsigned char *out = dst->pixels;
    for (int y = 0; y < dst->height; y++)
        for (int x = 0; x < dst->width; x++, out += 3) {
            const unsigned char *block =
                src->pixels + (size_t)y * (size_t)block_y * stride + (size_t)(x * block_x) * 3;
            int sum[3] = {0};
            for (int j = 0; j < block_y; j++, block += stride)
                for (int i = 0; i < block_x * 3; i += 3)
                    for (int c = 0; c < 3; c++)
                        sum[c] += block[i + c];
            for (int c = 0; c < 3; c++)
                out[c] = (unsigned char)lrintf((float)sum[c] * reciprocal);
        }
}

/* For each destination index, the source indices it covers and how much of it each makes up. */
typedef struct cover {
    int *first; /* source index */
    int *begin; /* n + 1 positions in weights */
    float *weights;
} cover;

static void clear_cover(cover *c)
{
    mem_free(c->first);
    mem_free(c->begin);
    mem_free(c->weights);
}

/* A covered sliver narrower than this does not count. */
#define SLIVER 1e-3

static int add_weight(cover *c, int n, int source, double weight, int d)
{
    if (n == c->begin[d])
        c->first[d] = source;
    c->weights[n] = (float)weight;
    return n + 1;
}

static ptq_status find_cover(cover *c, int from, int to, ptq_error *err)
{
    size_t max_weights = (size_t)from + 2 * (size_t)to;
    c->first = mem_array((size_t)to, sizeof *c->first);
    c->begin = mem_array((size_t)to + 1, sizeof *c->begin);
    c->weights = mem_array(max_weights, sizeof *c->weights);
    if (!c->first || !c->begin || !c->weights)
        return error_no_memory(err, max_weights * 4, "resizing a picture");
    double scale = resize_scale(from, to);
    int n = 0;
    for (int d = 0; d < to; d++) {
        double left = d * scale, right = left + scale;
        double cell = fmin(scale, from - left);
        int s1 = (int)ceil(left), s2 = (int)floor(right);
        s2 = s2 < from - 1 ? s2 : from - 1;
        s1 = s1 < s2 ? s1 : s2;
        c->begin[d] = n;
        if (s1 - left > SLIVER)
            n = add_weight(c, n, s1 - 1, (s1 - left) / cell, d);
        for (int s = s1; s < s2; s++)
            n = add_weight(c, n, s, 1.0 / cell, d);
        if (right - s2 > SLIVER)
            n = add_weight(c, n, s2, fmin(fmin(right - s2, 1.0), cell) / cell, d);
    }
    c->begin[to] = n;
    return PTQ_OK;
}

/* Weighted sums along one source row; added up in the order of the columns. */
static void sum_row(const image *src, int y, const cover *columns, int width, float *out)
{
    const unsigned char *row = src->pixels + (size_t)y * (size_t)src->width * 3;
    for (int x = 0; x < width; x++, out += 3) {
        const unsigned char *p = row + (size_t)columns->first[x] * 3;
        float r = 0, g = 0, b = 0;
        for (int i = columns->begin[x]; i < columns->begin[x + 1]; i++, p += 3) {
            float weight = columns->weights[i];
            r += (float)p[0] * weight;
            g += (float)p[1] * weight;
            b += (float)p[2] * weight;
        }
        out[0] = r;
        out[1] = g;
        out[2] = b;
    }
}

/* Rounds half to even, as rint() does: adding 1.5 * 2^23 leaves the whole number in the low bits of
 * the float. Unlike rint() it needs no instruction that the plain x86-64 lacks. */
static void round_row(const float *sums, size_t n, unsigned char *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        float shifted = sums[i] + 0x1.8p23f;
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        bits -= 0x4b400000;
        out[i] = (unsigned char)(bits > 255 ? 255 : bits);
    }
}

static void fill_areas(const image *src, image *dst, const cover *columns, const cover *lines,
                       float *buffer)
{
    size_t n = (size_t)dst->width * 3;
    float *line = buffer, *sums = buffer + n;
    int held = -1; /* the source row in `line`: neighbours share their border row */
    for (int y = 0; y < dst->height; y++) {
        int s = lines->first[y];
        for (int i = lines->begin[y]; i < lines->begin[y + 1]; i++, s++) {
            if (s != held)
                sum_row(src, s, columns, dst->width, line);
            held = s;
            float weight = lines->weights[i];
            if (i == lines->begin[y])
                for (size_t k = 0; k < n; k++)
                    sums[k] = line[k] * weight;
            else
                for (size_t k = 0; k < n; k++)
                    sums[k] += line[k] * weight;
        }
        round_row(sums, n, dst->pixels + (size_t)y * n);
    }
}

ptq_status resize_areas(const image *src, image *dst, ptq_error *err)
{
    cover columns = {0}, lines = {0};
    float *buffer = NULL;
    ptq_status status = find_cover(&columns, src->width, dst->width, err);
    if (status == PTQ_OK)
        status = find_cover(&lines, src->height, dst->height, err);
    if (status == PTQ_OK) {
        buffer = mem_array((size_t)dst->width * 3, 2 * sizeof *buffer);
        if (buffer)
            fill_areas(src, dst, &columns, &lines, buffer);
        else
            status = error_no_memory(err, (size_t)dst->width * 24, "resizing a picture");
    }
    mem_free(buffer);
    clear_cover(&lines);
    clear_cover(&columns);
    return status;
}
