/* SPDX-License-Identifier: Apache-2.0 */
/* quant/channel_stats.h — how large the channels of some tensors are, over a few images. */
#ifndef QUANT_CHANNEL_STATS_H
#define QUANT_CHANNEL_STATS_H

#include "base/env.h"
#include "data/dataset.h"
#include "graph/graph.h"

/* One tensor [N,C,...]. */
typedef struct channel_stats {
    const char *tensor; /* borrowed */
    int n;              /* channels; 0: it was not seen */
    float *largest;     /* [n] |x| */
    double *energy;     /* [n] sum of x^2 */
} channel_stats;

typedef struct channel_job {
    const graph *g; /* the cleaned float graph */
    const dataset *images;
    int image_size;
    int n_images; /* at most */
    const ptq_env *env;
} channel_job;

/* Fills `n` items whose tensors are given. Clear each with channel_stats_clear(). */
PTQ_CHECKED ptq_status channel_stats_collect(const channel_job *job, channel_stats *items, int n,
                                             ptq_error *err);
void channel_stats_clear(channel_stats *s);

#endif
