/* SPDX-License-Identifier: Apache-2.0 */
/* model/module_graph.h — a network and its weights into a graph, unfused, as PyTorch computes it.
 *
 * Input "images" [-1,C,-1,-1], one output "output" [-1,rows,5+classes]. A node is named by its
 * module's path, the output of layer i "model.<i>"; auxiliary branches are left out.
 */
#ifndef MODEL_MODULE_GRAPH_H
#define MODEL_MODULE_GRAPH_H

#include "graph/graph.h"
#include "model/module.h"
#include "model/pt_state.h"

/* weights_check() must have passed. Strides of the head that are not known yet are found and set in
 * the network. `max_bytes` caps the weights. */
PTQ_CHECKED ptq_status network_to_graph(network *n, pt_state *weights, size_t max_bytes,
                                        graph **out, ptq_error *err);

#endif
