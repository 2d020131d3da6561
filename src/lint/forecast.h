/* SPDX-License-Identifier: Apache-2.0 */
/* lint/forecast.h — in which precision a layer will run, and why. */
#ifndef LINT_FORECAST_H
#define LINT_FORECAST_H

#include "lint/layer.h"

/* Why ONNX Runtime's CPU provider runs a layer in float32; NULL: it runs in int8 (its QDQ node
 * groups; forecast_onnxruntime.c). */
const char *onnxruntime_obstacle(lint *l, const layer *a);

#endif
