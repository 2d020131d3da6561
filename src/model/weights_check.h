/* SPDX-License-Identifier: Apache-2.0 */
/* model/weights_check.h — refuses a network whose numbers cannot mean anything. */
#ifndef MODEL_WEIGHTS_CHECK_H
#define MODEL_WEIGHTS_CHECK_H

#include "graph/graph.h"

/* PTQ_FORMAT names the first constant of a convolution, matmul or batch norm that holds NaN or
 * infinity, or quantizer scale that is not a positive number. */
PTQ_CHECKED ptq_status weights_check(const graph *g, ptq_error *err);

#endif
