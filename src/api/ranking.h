/* SPDX-License-Identifier: Apache-2.0 */
/* api/ranking.h — the sensitivity ranking, for `ptq sensitivity` and for `ptq quantize --keep16`.
 */
#ifndef API_RANKING_H
#define API_RANKING_H

#include "api/quant_setup.h"
#include "quant/sensitivity.h"

/* Ranks every quantizable layer, the head included, each with a range of its own. `known` are
 * ranges calibrated before for the same model, or NULL: then the calibration images are run. */
PTQ_CHECKED ptq_status rank_layers(const ptq_model *m, const ptq_sensitivity_options *o,
                                   const ranges *known, api_call *call, sensitivity **out,
                                   ptq_error *err);

#endif
