/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_match.h"

#include "base/mem.h"

static const double AREA_LOW[COCO_AREAS] = {0, 0, 32 * 32, 96 * 96};
static const double AREA_HIGH[COCO_AREAS] = {1e10, 32 * 32, 96 * 96, 1e10};

/* np.linspace(.5, .95, 10), capped as evaluateImg does; all below the cap. */
static double overlap_threshold(int t)
{
    return t == COCO_OVERLAPS - 1 ? 0.95 : t * 0.049999999999999996 + 0.5;
}

ptq_status coco_matcher_init(coco_matcher *m, size_t n_boxes, ptq_error *err)
{
    size_t n;
    *m = (coco_matcher){0};
    if (!mem_mul(n_boxes, COCO_MAX_DETS, &n))
        return error_no_memory(err, SIZE_MAX, "matching");
    m->ious = mem_array(n, sizeof *m->ious);
    m->order = mem_array(n_boxes, sizeof *m->order);
    m->ignored = mem_array(n_boxes, sizeof *m->ignored);
    m->taken = mem_array(n_boxes, sizeof *m->taken);
    if (m->ious && m->order && m->ignored && m->taken)
        return PTQ_OK;
    coco_matcher_clear(m);
    return error_no_memory(err, n * sizeof *m->ious, "matching");
}

void coco_matcher_clear(coco_matcher *m)
{
    mem_free(m->ious);
    mem_free(m->order);
    mem_free(m->ignored);
    mem_free(m->taken);
    *m = (coco_matcher){0};
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* maskApi's bbIou: for a crowd the part of the detection that lies in it. */
static double box_iou(const coco_det *d, const coco_box *g)
{
    double w = smaller(d->x + d->w, g->x + g->w) - larger(d->x, g->x);
    if (w <= 0)
        return 0;
    double h = smaller(d->y + d->h, g->y + g->h) - larger(d->y, g->y);
    if (h <= 0)
        return 0;
    double both = w * h, area = d->w * d->h;
    return both / (g->is_crowd ? area : area + g->w * g->h - both);
}

static bool is_outside(double area, int range)
{
    return area < AREA_LOW[range] || area > AREA_HIGH[range];
}

static const coco_box *box_of(const coco_group *g, int i)
{
    return &g->all_boxes[g->boxes[i].index];
}

static const coco_det *det_of(const coco_group *g, size_t i)
{
    return &g->all_dets[g->dets[i].index];
}

/* The boxes that count first, in their order. Returns how many. */
static size_t sort_boxes(coco_matcher *m, const coco_group *g, int range)
{
    size_t n = 0, n_counting;
    for (size_t i = 0; i < g->n_boxes; i++) {
        const coco_box *b = box_of(g, (int)i);
        m->taken[i] = 0;
        m->ignored[i] = b->is_crowd || is_outside(b->area, range);
        if (!m->ignored[i])
            m->order[n++] = (int)i;
    }
    n_counting = n;
    for (size_t i = 0; i < g->n_boxes; i++)
        if (m->ignored[i])
            m->order[n++] = (int)i;
    return n_counting;
}

/* The box detection d takes at overlap t, or -1. The last of equals wins; an ignored box is only
 * taken when no other fits; a crowd may be taken again and again. */
static int choose_box(const coco_matcher *m, const coco_group *g, size_t d, int t)
{
    const double *ious = m->ious + d * g->n_boxes;
    double best = overlap_threshold(t);
    int chosen = -1;
    for (size_t i = 0; i < g->n_boxes; i++) {
        int b = m->order[i];
        if ((m->taken[b] >> t & 1) && !box_of(g, b)->is_crowd)
            continue;
        if (chosen >= 0 && !m->ignored[chosen] && m->ignored[b])
            break;
        if (ious[b] < best)
            continue;
        best = ious[b];
        chosen = b;
    }
    return chosen;
}

static void match_range(coco_matcher *m, const coco_group *g, int range, coco_flags *flags)
{
    for (size_t d = 0; d < g->n_dets; d++) {
        unsigned matched = 0, ignored = 0;
        for (int t = 0; t < COCO_OVERLAPS; t++) {
            int b = choose_box(m, g, d, t);
            if (b < 0)
                continue;
            m->taken[b] = (uint16_t)(m->taken[b] | 1u << t);
            matched |= (unsigned)!box_of(g, b)->is_silent << t;
            ignored |= (unsigned)m->ignored[b] << t;
        }
        const coco_det *det = det_of(g, d);
        if (is_outside(det->w * det->h, range))
            ignored |= ~matched & ((1u << COCO_OVERLAPS) - 1);
        flags[d].matched[range] = (uint16_t)matched;
        flags[d].ignored[range] = (uint16_t)ignored;
    }
}

void coco_match(coco_matcher *m, const coco_group *g, coco_flags *flags,
                size_t n_wanted[COCO_AREAS])
{
    for (size_t d = 0; d < g->n_dets; d++)
        for (size_t b = 0; b < g->n_boxes; b++)
            m->ious[d * g->n_boxes + b] = box_iou(det_of(g, d), box_of(g, (int)b));
    for (int range = 0; range < COCO_AREAS; range++) {
        n_wanted[range] += sort_boxes(m, g, range);
        match_range(m, g, range, flags);
    }
}
