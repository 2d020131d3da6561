/* SPDX-License-Identifier: Apache-2.0 */
/* quant/count_pass.h — counts the values of a float network's tensors over images.
 *
 * Exact histograms lose nothing when they are pooled: so several images run side by side, each on a
 * thread, a session and histograms of its own, and the counts are those of any number of threads.
 * Compatible ones depend on the order of the batches: one session on all threads counts them.
 */
#ifndef QUANT_COUNT_PASS_H
#define QUANT_COUNT_PASS_H

#include "base/env.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "quant/ranges.h"

/* Everything is borrowed. */
typedef struct count_request {
    const graph *g;
    ranges *r;           /* its tensors are watched; their histograms are counted in ... */
    histogram *own;      /* [r->n] ... or these */
    const dataset *data; /* letterboxed to squares of r->image_size */
    int n_images;        /* in all, for the progress */
    int batch_size;      /* images that belong together: counted all or none */
} count_request;

typedef struct count_pass count_pass;

PTQ_CHECKED ptq_status count_pass_open(const count_request *request, const ptq_env *env,
                                       count_pass **out, ptq_error *err);
void count_pass_close(count_pass *p); /* NULL allowed */

/* How many images keep all threads busy. */
int count_pass_good_number(const count_pass *p);

/* Counts the next n images of the data but for the batches of other ranks. *n_done of them are
 * counted: all, or, when cancelled (PTQ_CANCELLED), the batches until then. After another failure
 * the histograms are of no use. */
PTQ_CHECKED ptq_status count_pass_run(count_pass *p, int n, int *n_done, ptq_error *err);

#endif
