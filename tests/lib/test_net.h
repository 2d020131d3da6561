/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/test_net.h — a small detector-like graph to decide about.
 *
 *   images -> c0 -> act -+-> c1 -> act -> c2 -> act -+
 *                        +---------------------------+-> add -+-> c4 -> act ------------> cat2
 *                        +-> c3 -> act --------------------- cat -> c5 -> act -> pool ---> |
 *                                                             |                  +-> c6    |
 *                                                             +-> (read by c5)             v
 *   head: c7(cat2) -> sigmoid -> "output"; up(c6) is read by c8, whose output is "side"
 */
#ifndef TEST_NET_H
#define TEST_NET_H

#include "graph/graph.h"

/* 3x3 convolutions with random weights (`seed`), 8 channels; input "images" [-1,3,-1,-1]. */
graph *test_net(uint64_t seed);

/* Building blocks. Weights are normal numbers; layers are named as given, "<name>.weight". */
tensor_id test_net_conv(graph *g, const char *name, tensor_id x, int64_t c_in, int64_t c_out,
                        uint64_t seed);
tensor_id test_net_op(graph *g, graph_op op, const char *name, int n_inputs,
                      const tensor_id *inputs);

#endif
