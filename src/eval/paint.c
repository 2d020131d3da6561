/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/paint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/bitmap_font.h"

typedef struct colour {
    unsigned char r, g, b;
} colour;

static const colour BLACK = {0, 0, 0}, WHITE = {255, 255, 255};

/* Half-open, in pixels. */
typedef struct area {
    int x1, y1, x2, y2;
} area;

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static void fill(image *p, area a, colour c)
{
    a = (area){clamp(a.x1, 0, p->width), clamp(a.y1, 0, p->height), clamp(a.x2, 0, p->width),
               clamp(a.y2, 0, p->height)};
    for (int y = a.y1; y < a.y2; y++) {
        unsigned char *pixel = p->pixels + 3 * ((size_t)y * (size_t)p->width + (size_t)a.x1);
        for (int x = a.x1; x < a.x2; x++, pixel += 3) {
            pixel[0] = c.r;
            pixel[1] = c.g;
            pixel[2] = c.b;
        }
    }
}

static area grown(area a, int by)
{
    return (area){a.x1 - by, a.y1 - by, a.x2 + by, a.y2 + by};
}

/* `thick` pixels inwards from the edges of `a`. */
static void frame(image *p, area a, int thick, colour c)
{
    fill(p, (area){a.x1, a.y1, a.x2, a.y1 + thick}, c);
    fill(p, (area){a.x1, a.y2 - thick, a.x2, a.y2}, c);
    fill(p, (area){a.x1, a.y1, a.x1 + thick, a.y2}, c);
    fill(p, (area){a.x2 - thick, a.y1, a.x2, a.y2}, c);
}

/* Hues a golden angle apart: neighbouring classes differ most. */
static colour class_colour(int cls)
{
    double hue = fmod(0.08 + 0.618033988749895 * (double)cls, 1.0) * 6, rgb[3];
    for (int i = 0; i < 3; i++) {
        double k = fmod(hue + (double)(6 - 2 * i), 6.0); /* distance from the channel's own hue */
        double level = fabs(k > 3 ? 6 - k : k);
        rgb[i] = level <= 1 ? 1 : level >= 2 ? 0 : 2 - level;
    }
    return (colour){(unsigned char)(40 + 200 * rgb[0]), (unsigned char)(40 + 200 * rgb[1]),
                    (unsigned char)(40 + 200 * rgb[2])};
}

static double linear(unsigned char v)
{
    return pow(v / 255.0, 2.2);
}

/* Black or white, by the larger contrast (relative luminance as in WCAG 2). */
static colour readable_on(colour c)
{
    double luminance = 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
    return luminance > 0.179 ? BLACK : WHITE;
}

static void write_text(image *p, int x, int y, const char *text, int scale, colour c)
{
    for (; *text; text++, x += (FONT_WIDTH + 1) * scale) {
        const unsigned char *rows = font_glyph(*text);
        for (int row = 0; row < FONT_HEIGHT; row++)
            for (int column = 0; column < FONT_WIDTH; column++) {
                int left = x + column * scale, top = y + row * scale;
                if (rows[row] >> (FONT_WIDTH - 1 - column) & 1)
                    fill(p, (area){left, top, left + scale, top + scale}, c);
            }
    }
}

const char *class_label(const class_names *names, int cls, char buffer[32])
{
    if (names->names && cls >= 0 && cls < names->n && names->names[cls])
        return names->names[cls];
    snprintf(buffer, 32, "class %d", cls);
    return buffer;
}

/* Above the box where there is room, else inside it; never outside the picture. */
static void draw_plate(image *p, area box, const char *text, int scale, colour c)
{
    int width = ((int)strlen(text) * (FONT_WIDTH + 1) + 3) * scale;
    int height = (FONT_HEIGHT + 3) * scale;
    int x = clamp(box.x1, 0, p->width > width ? p->width - width : 0);
    int y = box.y1 >= height ? box.y1 - height : clamp(box.y1, 0, p->height);
    area plate = {x, y, x + width, y + height};
    fill(p, plate, c);
    write_text(p, x + 2 * scale, y + 2 * scale, text, scale, readable_on(c));
}

static int rounded(float v, int limit)
{
    return clamp((int)lrintf(fminf(fmaxf(v, -1), 1e6F)), 0, limit);
}

static void draw_one(image *p, const detection *d, const class_names *names)
{
    int longer = p->width > p->height ? p->width : p->height;
    int scale = clamp((longer + 320) / 640, 1, 16);
    colour c = class_colour(d->cls);
    area box = {rounded(d->x1, p->width), rounded(d->y1, p->height), rounded(d->x2, p->width),
                rounded(d->y2, p->height)};
    frame(p, grown(box, scale), scale, BLACK);
    frame(p, box, 2 * scale, c);
    frame(p, grown(box, -2 * scale), scale, WHITE);
    char buffer[32], number[32], text[96];
    const char *name = class_label(names, d->cls, buffer);
    if (!font_has(name)) {
        snprintf(number, sizeof number, "class %d", d->cls);
        name = number;
    }
    snprintf(text, sizeof text, "%.80s %.2f", name, (double)d->score);
    draw_plate(p, box, text, scale, c);
}

void paint_detections(image *picture, const detection *dets, int n, const class_names *names)
{
    for (int i = n - 1; i >= 0; i--)
        draw_one(picture, &dets[i], names);
}
