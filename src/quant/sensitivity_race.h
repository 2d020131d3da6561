/* SPDX-License-Identifier: Apache-2.0 */
/* quant/sensitivity_race.h — the ranking without running every network on every image.
 *
 * All units are measured on a few images; then image by image those go on whose place among the
 * worst is open, until it is settled, or no number of the images at hand would settle it, or the
 * work has reached a thirty-second part of measuring everything.
 */
#ifndef QUANT_SENSITIVITY_RACE_H
#define QUANT_SENSITIVITY_RACE_H

#include "quant/sensitivity_journal.h"

/* Everything is borrowed. */
typedef struct race_input {
    const sensitivity_job *job;
    const sensitivity_options *options;
    const unit_list *units;
    const ptq_env *env;
    journal *j;
} race_input;

/* Fills baseline and layers (unordered) of `out`, whose layers have room for every unit. */
PTQ_CHECKED ptq_status sensitivity_race(const race_input *in, sensitivity *out, ptq_error *err);

#endif
