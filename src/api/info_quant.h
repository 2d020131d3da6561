/* SPDX-License-Identifier: Apache-2.0 */
/* api/info_quant.h — `ptq info --quant`: the quantizers a file has, or automatic insertion puts. */
#ifndef API_INFO_QUANT_H
#define API_INFO_QUANT_H

#include "api/model_handle.h"
#include "api/result.h"

/* Sets "quantizers" (and "kept", for a float model) in the result; writes the settings when asked.
 */
PTQ_CHECKED ptq_status info_quantizers(const ptq_model *m, const ptq_info_options *o,
                                       api_call *call, ptq_error *err);

#endif
