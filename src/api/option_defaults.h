/* SPDX-License-Identifier: Apache-2.0 */
/* api/option_defaults.h — the defaults that several commands share; ptq.h states them. */
#ifndef API_OPTION_DEFAULTS_H
#define API_OPTION_DEFAULTS_H

#include "ptq/ptq.h"

static inline ptq_data_options data_defaults(const char *split)
{
    return (ptq_data_options){
        .split = split, .image_size = 640, .batch = 4, .stride = 32, .pad = 0.5, .rect = true};
}

static inline ptq_quant_options quant_defaults(void)
{
    return (ptq_quant_options){
        .calib = PTQ_CALIB_MSE, .percentile = 99.99, .share_scales = -1, .residual = -1};
}

#endif
