/* SPDX-License-Identifier: Apache-2.0 */
/* api/quant_setup.h — from a caller's options to points and ranges: what calibrate, quantize and
 * sensitivity have in common.
 */
#ifndef API_QUANT_SETUP_H
#define API_QUANT_SETUP_H

#include "api/model_handle.h"
#include "api/result.h"
#include "data/dataset.h"
#include "quant/code_tensors.h"
#include "quant/points.h"
#include "quant/ranges.h"
#include "quant/target.h"

typedef struct quant_setup {
    quant_config *own_config; /* NULL when the caller gave the settings */
    const quant_config *config;
    quant_options options;
    quant_points points;
    code_tensors codes; /* empty unless the target computes on codes, or all is asked for */
    ranges *ranges;     /* NULL until quant_setup_ranges() */
    dataset *images;    /* what was calibrated with; NULL when nothing was run */
    int image_size;
    char *partial; /* where the calibration is kept; NULL: nowhere */
} quant_setup;

/* Reads quant.yaml and finds the points. The target decides what -1 means for share_scales and
 * residual; NULL: none. PTQ_USAGE for a model that has quantizers already. */
PTQ_CHECKED ptq_status quant_setup_open(quant_setup *s, const ptq_model *m,
                                        const ptq_quant_options *o, const quant_target *target,
                                        ptq_error *err);
/* The tensors that a target on codes needs, for one calibration that serves every target. */
PTQ_CHECKED ptq_status quant_setup_find_codes(quant_setup *s, const ptq_model *m, ptq_error *err);
/* The calibration is kept beside `output`, which may be NULL, until quant_setup_done(). */
PTQ_CHECKED ptq_status quant_setup_resume(quant_setup *s, const char *output, ptq_error *err);
void quant_setup_done(quant_setup *s);
/* Ranges from o->calib_from, else by running the calibration images of `data`. */
PTQ_CHECKED ptq_status quant_setup_ranges(quant_setup *s, const ptq_model *m,
                                          const ptq_quant_options *o, const ptq_data_options *data,
                                          api_call *call, ptq_error *err);
/* Ranges that need images once more (fit.h); "learned" in the result. */
PTQ_CHECKED ptq_status quant_setup_fit(quant_setup *s, const ptq_model *m,
                                       const ptq_quant_options *o, const ptq_data_options *data,
                                       api_call *call, ptq_error *err);
/* A copy of a float graph for quantizers: of the present image size where ranges per slice need
 * to know it. */
PTQ_CHECKED ptq_status quant_setup_copy(const quant_setup *s, const graph *from, graph **out,
                                        ptq_error *err);
/* Warnings about places, "groups" in the result, and the file that o->save_config names. After
 * quant_setup_fit(); `ranges` may be missing: then only the file. */
PTQ_CHECKED ptq_status quant_setup_report(const quant_setup *s, const ptq_model *m,
                                          const ptq_quant_options *o, const quant_target *target,
                                          api_call *call, ptq_error *err);
/* Opens the calibration images, once. */
PTQ_CHECKED ptq_status quant_setup_images(quant_setup *s, const ptq_model *m,
                                          const ptq_quant_options *o, const ptq_data_options *data,
                                          const ptq_env *env, ptq_error *err);
void quant_setup_close(quant_setup *s);

#endif
