/* SPDX-License-Identifier: Apache-2.0 */
/* eval/bitmap_font.h — letters for labels on pictures: ASCII, five by nine pixels. */
#ifndef EVAL_BITMAP_FONT_H
#define EVAL_BITMAP_FONT_H

#include <stdbool.h>

enum { FONT_WIDTH = 5, FONT_HEIGHT = 9 };

/* Whether every character of the text has a glyph. */
bool font_has(const char *text);
/* FONT_HEIGHT rows from the top, the leftmost pixel in bit 4; '?' for what has no glyph. */
const unsigned char *font_glyph(char c);

#endif
