/* SPDX-License-Identifier: Apache-2.0 */
/* quant/head_probe.h — how far a network's raw outputs move away from the float network's.
 *
 * Watches the output convolutions. The first network to run is the reference and its values are
 * kept (as many runs as fit a budget); later networks, run on the same images in the same order,
 * are compared with them.
 */
#ifndef QUANT_HEAD_PROBE_H
#define QUANT_HEAD_PROBE_H

#include "engine/session.h"
#include "quant/points.h"

typedef struct head_probe head_probe;

PTQ_CHECKED ptq_status head_probe_create(const graph *g, const quant_points *points,
                                         size_t max_bytes, head_probe **out, ptq_error *err);
void head_probe_destroy(head_probe *p); /* NULL allowed */

/* The tensors it watches: to be kept by pass_lower() and tapped by the session. */
const char *const *head_probe_names(const head_probe *p); /* NULL-terminated */
int head_probe_n_names(const head_probe *p);

/* Before a network's first run. The first call makes it the reference. */
void head_probe_begin(head_probe *p);
engine_tap_fn head_probe_tap; /* user: the head_probe */
/* PTQ_LIMIT when keeping the reference failed. */
PTQ_CHECKED ptq_status head_probe_status(const head_probe *p, ptq_error *err);
/* Further runs of this network change nothing. */
bool head_probe_is_done(const head_probe *p);

/* Signal to quantization noise of the images seen by the network that ran last:
 * 10 log10(sum of reference^2 / sum of difference^2), 200 at most. weights[head_probe_n_images()]
 * says how often an image counts; NULL: once. */
int head_probe_n_images(const head_probe *p);
double head_probe_sqnr(const head_probe *p, const int *weights);

#endif
