/* SPDX-License-Identifier: Apache-2.0 */
/* lint/operators.h — which ONNX operators there are, and which of them TensorRT's parser has. */
#ifndef LINT_OPERATORS_H
#define LINT_OPERATORS_H

typedef enum operator_support {
    OPERATOR_UNKNOWN, /* ONNX has no such operator */
    OPERATOR_OK,
    OPERATOR_NO,      /* ONNX has it, TensorRT has not */
    OPERATOR_INTEGER, /* a static quantized operator: QLinearConv */
    OPERATOR_DYNAMIC, /* of dynamic quantization */
} operator_support;

/* Of an operator of the default domain. */
operator_support operator_of(const char *op);

#endif
