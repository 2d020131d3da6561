/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a convolution into parts for threads. */
#include "kernels/conv.h"

/* Rows of the input that output rows [begin, end) need, padding not counted. */
static void source_rows(const conv_desc *d, int64_t begin, int64_t end, int64_t rows[2])
{
    rows[0] = begin * d->stride[0] - d->pad[0];
    rows[1] =
        (end - 1) * d->stride[0] - d->pad[0] + (int64_t)(d->kernel[0] - 1) * d->dilation[0] + 1;
    rows[0] = rows[0] > 0 ? rows[0] : 0;
    rows[1] = rows[1] < d->src.dim[2] ? rows[1] : d->src.dim[2];
}

int64_t conv_rows_read(const conv_desc *d, int64_t end)
{
    int64_t image = (end - 1) / d->dst.dim[2], y = (end - 1) % d->dst.dim[2], rows[2];
    source_rows(d, y, y + 1, rows);
    return image * d->src.dim[2] + (rows[1] > 0 ? rows[1] : 0);
}

conv_part conv_part_at(const conv_desc *d, int part, int n_parts)
{
    conv_part p = {.desc = *d};
    int64_t n = d->dst.dim[0], begin, end, rows[2];
    if (n_parts <= n) {
        kernel_share(n, part, n_parts, &begin, &end);
        p.desc.src.dim[0] = p.desc.dst.dim[0] = end - begin;
        p.src_offset = begin * d->src.stride[0];
        p.dst_offset = begin * d->dst.stride[0];
        return p;
    }
    int per_image = n_parts / (int)n;
    int image = part / per_image;
    kernel_share(d->dst.dim[2], part % per_image, per_image, &begin, &end);
    source_rows(d, begin, end, rows);
    int64_t above = d->pad[0] - begin * d->stride[0];
    p.desc.pad[0] = above > 0 ? (int)above : 0;
    p.desc.src.dim[0] = p.desc.dst.dim[0] = 1;
    p.desc.src.dim[2] = rows[1] - rows[0];
    p.desc.dst.dim[2] = end - begin;
    p.src_offset = image * d->src.stride[0] + rows[0] * d->src.stride[2];
    p.dst_offset = image * d->dst.stride[0] + begin * d->dst.stride[2];
    return p;
}

int conv_part_count(const conv_desc *d)
{
    int64_t n = d->dst.dim[0], rows = d->dst.dim[2];
    if (n < 1)
        return 1;
    if (d->threads <= n) /* single images while they are few: the shares are more even */
        return n <= 4 * d->threads ? (int)n : d->threads;
    int64_t per_image = (d->threads + n - 1) / n;
    per_image = per_image < rows ? per_image : rows;
    for (int64_t i = 0; i < per_image; i++) { /* each part needs something to read */
        int64_t begin, end, needed[2];
        kernel_share(rows, (int)i, (int)per_image, &begin, &end);
        source_rows(d, begin, end, needed);
        if (needed[1] <= needed[0])
            return 1;
    }
    return (int)(n * per_image);
}
