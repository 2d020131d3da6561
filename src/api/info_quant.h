/* SPDX-License-Identifier: Apache-2.0 */
/* api/info_quant.h — `ptq info --quant`: the quantizers a file has, or automatic insertion puts. */
#ifndef API_INFO_QUANT_H
#define API_INFO_QUANT_H

#include <jansson.h>

#include "api/model_handle.h"

/* Sets "quantizers" (and "kept", for a float model) in `result`. */
PTQ_CHECKED ptq_status info_quantizers(const ptq_model *m, json_t *result, ptq_error *err);

#endif
