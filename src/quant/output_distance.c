/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/output_distance.h"

/* Below this neither score nor box says anything. */
#define FAINT 0.01f

/* Rows are centre x, y, width, height. */
static double overlap(const float *a, const float *b)
{
    double left = a[0] - a[2] / 2 > b[0] - b[2] / 2 ? a[0] - a[2] / 2 : b[0] - b[2] / 2;
    double right = a[0] + a[2] / 2 < b[0] + b[2] / 2 ? a[0] + a[2] / 2 : b[0] + b[2] / 2;
    double top = a[1] - a[3] / 2 > b[1] - b[3] / 2 ? a[1] - a[3] / 2 : b[1] - b[3] / 2;
    double bottom = a[1] + a[3] / 2 < b[1] + b[3] / 2 ? a[1] + a[3] / 2 : b[1] + b[3] / 2;
    if (right <= left || bottom <= top)
        return 0;
    double both = (right - left) * (bottom - top);
    double all = (double)a[2] * a[3] + (double)b[2] * b[3] - both;
    return all > 0 ? both / all : 0;
}

double output_distance(const predictions *reference, const predictions *other)
{
    size_t n_values = (size_t)reference->n_classes + 5;
    double sum = 0;
    for (int i = 0; i < reference->n_rows; i++) {
        const float *a = reference->rows + (size_t)i * n_values;
        const float *b = other->rows + (size_t)i * n_values;
        if (a[4] < FAINT && b[4] < FAINT)
            continue;
        float best = 0;
        for (int c = 0; c < reference->n_classes; c++) {
            float before = a[4] * a[5 + c], after = b[4] * b[5 + c];
            double moved = (double)after - (double)before;
            sum += moved * moved;
            best = before > best ? before : best;
        }
        if (best >= FAINT)
            sum += (double)best * (1 - overlap(a, b));
    }
    return sum;
}

double output_score(const predictions *p)
{
    size_t n_values = (size_t)p->n_classes + 5;
    double sum = 0;
    for (int i = 0; i < p->n_rows; i++) {
        const float *row = p->rows + (size_t)i * n_values;
        float best = 0;
        for (int c = 0; c < p->n_classes; c++)
            best = row[5 + c] > best ? row[5 + c] : best;
        sum += row[4] * best >= FAINT ? (double)(row[4] * best) : 0;
    }
    return sum;
}
