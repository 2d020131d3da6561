/* SPDX-License-Identifier: Apache-2.0 */
/* quant/module_type.h — names of module types: classes of torch.nn, and the operators they become.
 *
 * A class may be several operators (Linear: Gemm or MatMul), and several classes one (Conv1d,
 * Conv2d). LSTM and LSTMCell stand in pytorch-quantization's default map but are not quantized
 * here: they may be listed as float, and are refused everywhere else.
 */
#ifndef QUANT_MODULE_TYPE_H
#define QUANT_MODULE_TYPE_H

#include <stdbool.h>

#include "base/error.h"
#include "graph/op.h"

typedef struct op_set {
    bool has[GRAPH_OP_COUNT];
} op_set;

/* Adds the operators of a type to `set`; false: not known. */
bool module_type_ops(const char *name, op_set *set);
/* LSTM, LSTMCell. */
bool module_type_is_refused(const char *name);
/* PTQ_USAGE "LSTM ... is not quantized here". */
PTQ_CHECKED ptq_status module_type_refuse(const char *name, ptq_error *err);

/* Every known name; the list ends with NULL. */
enum { MODULE_TYPE_NAMES = GRAPH_OP_COUNT + 32 };
void module_type_names(const char *names[MODULE_TYPE_NAMES]);

#endif
