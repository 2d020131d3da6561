/* SPDX-License-Identifier: Apache-2.0 */
/* quant/placement.h — quantizers that were asked for where they do harm: warnings with the numbers.
 *
 *  - on or behind the decode, where one scale for boxes and scores turns every score into code 0;
 *  - in a group whose scale is so coarse that one of its tensors becomes 0 throughout;
 *  - between a convolution and its activation, which then no longer fuse.
 */
#ifndef QUANT_PLACEMENT_H
#define QUANT_PLACEMENT_H

#include "base/env.h"
#include "quant/group_range.h"

/* `fuses`: the runtime fuses a convolution with the activation behind it. Warnings go to env's log;
 * PTQ_DATA when a range is missing. */
PTQ_CHECKED ptq_status placement_warn(const group_source *s, bool fuses, const ptq_env *env,
                                      ptq_error *err);

#endif
