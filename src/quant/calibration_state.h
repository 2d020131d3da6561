/* SPDX-License-Identifier: Apache-2.0 */
/* quant/calibration_state.h — what a calibration has counted, kept in a file: should it be stopped,
 * the next run that is the same goes on after the last whole batch, to the same bits.
 *
 * The file is JSON: the ranges with their histograms, the steps of coverage.h, and a fingerprint of
 * everything that decides them (constants of the graph, images, options).
 */
#ifndef QUANT_CALIBRATION_STATE_H
#define QUANT_CALIBRATION_STATE_H

#include "quant/calibrate.h"
#include "quant/coverage.h"

/* Everything is borrowed. */
typedef struct calibration_state {
    const char *path; /* NULL: nothing is kept */
    const calibrate_job *job;
    const calibrate_options *options;
} calibration_state;

/* Histograms and steps as they were; *n_done images are in them. Without a file, and with a file
 * of another calibration or a damaged one, of which it warns, nothing changes. */
PTQ_CHECKED ptq_status calibration_state_read(const calibration_state *s, coverage *c, int *n_done,
                                              const ptq_env *env, ptq_error *err);
PTQ_CHECKED ptq_status calibration_state_write(const calibration_state *s, const coverage *c,
                                               ptq_error *err);

#endif
