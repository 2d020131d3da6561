/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/boxes.h"

/* As torch.clamp: NaN stays. */
static float clip(float v, float high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

typedef struct back_map {
    float pad_x, pad_y, gain, width, height;
} back_map;

static back_map back_map_of(const placement *place)
{
    return (back_map){
        .pad_x = (float)place->pad_x,
        .pad_y = (float)place->pad_y,
        .gain = (float)place->ratio_h,
        .width = (float)place->width0,
        .height = (float)place->height0,
    };
}

void boxes_to_image(detection *dets, int n, const placement *place)
{
    back_map m = back_map_of(place);
    for (int i = 0; i < n; i++) {
        detection *d = &dets[i];
        d->x1 = clip((d->x1 - m.pad_x) / m.gain, m.width);
        d->y1 = clip((d->y1 - m.pad_y) / m.gain, m.height);
        d->x2 = clip((d->x2 - m.pad_x) / m.gain, m.width);
        d->y2 = clip((d->y2 - m.pad_y) / m.gain, m.height);
    }
}

/* One axis of one label: centre and size as fractions of the image -> the two ends in its pixels.
 * `size` is the resized image, `padded` the input. */
static void label_ends(float centre, float extent, float size, float pad, float padded,
                       float ends[2])
{
    float low = size * (centre - extent / 2) + pad;
    float high = size * (centre + extent / 2) + pad;
    float c = (low + high) / 2 / padded * padded;
    float e = (high - low) / padded * padded;
    ends[0] = c - e / 2;
    ends[1] = c + e / 2;
}

void boxes_of_labels(const label *labels, int n, const placement *place, int padded_width,
                     int padded_height, truth_box *out)
{
    back_map m = back_map_of(place);
    float width = (float)place->width, height = (float)place->height;
    if (place->at_corner) { /* YOLOX scores in pixels of the image */
        m.gain = 1;
        width = (float)(padded_width = place->width0);
        height = (float)(padded_height = place->height0);
    }
    for (int i = 0; i < n; i++) {
        const label *l = &labels[i];
        float x[2], y[2];
        label_ends(l->x, l->w, width, m.pad_x, (float)padded_width, x);
        label_ends(l->y, l->h, height, m.pad_y, (float)padded_height, y);
        out[i] = (truth_box){
            .x1 = clip((x[0] - m.pad_x) / m.gain, m.width),
            .y1 = clip((y[0] - m.pad_y) / m.gain, m.height),
            .x2 = clip((x[1] - m.pad_x) / m.gain, m.width),
            .y2 = clip((y[1] - m.pad_y) / m.gain, m.height),
            .cls = l->cls,
        };
    }
}

float boxes_iou(const detection *a, const truth_box *b)
{
    float w = (a->x2 < b->x2 ? a->x2 : b->x2) - (a->x1 > b->x1 ? a->x1 : b->x1);
    float h = (a->y2 < b->y2 ? a->y2 : b->y2) - (a->y1 > b->y1 ? a->y1 : b->y1);
    float overlap = (w > 0 ? w : 0) * (h > 0 ? h : 0);
    float area_a = (a->x2 - a->x1) * (a->y2 - a->y1);
    float area_b = (b->x2 - b->x1) * (b->y2 - b->y1);
    return overlap / (area_a + area_b - overlap);
}
