/* SPDX-License-Identifier: Apache-2.0 */
/* api/quantizer_api.h — a ptq_quantizer, and descriptors on their way in. */
#ifndef API_QUANTIZER_API_H
#define API_QUANTIZER_API_H

#include "ptq/quantizer.h"
#include "quant/quant_config.h"
#include "quant/tensor_quantizer.h"

struct ptq_quantizer {
    tensor_quantizer *q;
    char *text; /* of ptq_quantizer_text() */
};

struct ptq_quant_config {
    quant_config *config;
};

amax_method method_of_calib(ptq_calib calib);
/* Lists and strings stay the caller's. PTQ_USAGE: a field is out of its range. */
PTQ_CHECKED ptq_status descriptor_of(const ptq_quant_desc *d, descriptor *out, ptq_error *err);

#endif
