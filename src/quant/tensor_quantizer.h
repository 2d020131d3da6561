/* SPDX-License-Identifier: Apache-2.0 */
/* quant/tensor_quantizer.h — one quantizer by itself, as pytorch-quantization's TensorQuantizer.
 *
 * A call does, in this order (algorithms.md §1): nothing when disabled; if_calib: hands the values
 * to the calibrator; if_clip: cuts them at the learned range; if_quant: quantizes. Without a range
 * the range of a call is that of its values ("dynamic").
 */
#ifndef QUANT_TENSOR_QUANTIZER_H
#define QUANT_TENSOR_QUANTIZER_H

#include "quant/descriptor.h"

typedef struct tensor_quantizer {
    descriptor desc;  /* with the states; its amax is a copy */
    bool fake_quant;  /* false: results are codes, in [-127, 127] as the original has them */
    size_t n_amax;    /* 0: dynamic */
    float *amax;      /* n_amax; without scale_amax */
    bool is_dynamic;  /* step and scale below are those of the last call */
    size_t n_steps;   /* 0: nothing is known yet */
    float *step;      /* amax / highest code */
    float *scale;     /* highest code / amax */
    size_t n_seen;    /* the calibrators: largest |x| per slice, or the histogram */
    float *seen;      /* n_seen */
    histogram values; /* its counts are NULL until something was collected */
} tensor_quantizer;

/* PTQ_USAGE: fields that contradict each other. */
PTQ_CHECKED ptq_status tensor_quantizer_create(const descriptor *d, bool fake_quant,
                                               tensor_quantizer **out, ptq_error *err);
void tensor_quantizer_destroy(tensor_quantizer *q); /* NULL allowed */

/* x == y is allowed. PTQ_USAGE when ranges, axes or states do not fit. */
PTQ_CHECKED ptq_status tensor_quantizer_run(tensor_quantizer *q, const shape *s, const float *x,
                                            float *y, ptq_error *err);

/* A fixed range, or one per slice; n 0: dynamic again. */
PTQ_CHECKED ptq_status tensor_quantizer_set_amax(tensor_quantizer *q, const float *amax, size_t n,
                                                 ptq_error *err);
/* The range of what the calibrator saw. PTQ_DATA: it saw nothing. `method` and `percentile` are for
 * a histogram. */
PTQ_CHECKED ptq_status tensor_quantizer_load_calib(tensor_quantizer *q, amax_method method,
                                                   double percentile, ptq_error *err);

/* "8bit fake per-tensor amax=2.6400 calibrator=HistogramCalibrator scale=1.0 quant", as printing
 * the original. */
void tensor_quantizer_print(str *out, const tensor_quantizer *q);

#endif
