/* SPDX-License-Identifier: Apache-2.0 */
/* quant/suffix_net.h — many networks that differ from one base in a layer each, on the same images.
 *
 * The base runs once per image and keeps the tensors that the others take over; of each other only
 * what comes behind its change is run. Memory is that of one image's tensors.
 */
#ifndef QUANT_SUFFIX_NET_H
#define QUANT_SUFFIX_NET_H

#include "base/env.h"
#include "engine/engine.h"

/* What comes behind a change. */
typedef struct suffix_net {
    graph *g;
    tensor_id *taken; /* tensors of the base, in the order of inputs 1 ... */
    int n_taken;
} suffix_net;

void suffix_net_clear(suffix_net *s);

/* The outputs of one network for one image: dense, row-major. */
typedef struct net_output {
    const char *name; /* NULL: as the base's */
    shape shape;
    float *values;
    size_t cap;
} net_output;

typedef struct base_net base_net;

/* A lowered graph of one input, which it takes over, also when it fails. Suffixes must have been
 * cut from it. */
PTQ_CHECKED ptq_status base_net_create(graph *g, const ptq_env *env, base_net **out,
                                       ptq_error *err);
void base_net_destroy(base_net *b); /* NULL allowed; after the suffixes' last run */
const graph *base_net_graph(const base_net *b);

/* Which tensors the next runs keep: those that `n` suffixes take over. */
PTQ_CHECKED ptq_status base_net_serve(base_net *b, const suffix_net *const *suffixes, int n,
                                      ptq_error *err);
/* Bytes that they take at an input of this size. */
PTQ_CHECKED ptq_status base_net_bytes(base_net *b, int height, int width, size_t *bytes,
                                      ptq_error *err);
/* One image, float32 [3,height,width]. */
PTQ_CHECKED ptq_status base_net_run(base_net *b, float *image, int height, int width,
                                    ptq_error *err);
int base_net_n_outputs(const base_net *b);
/* Of the last run. */
const net_output *base_net_output(const base_net *b, int i);

/* The same image through a suffix. outputs[base_net_n_outputs()], zeroed before the first use; free
 * with net_outputs_clear(). */
PTQ_CHECKED ptq_status suffix_net_run(const suffix_net *s, const base_net *b, net_output *outputs,
                                      ptq_error *err);
void net_outputs_clear(net_output *outputs, int n);

#endif
