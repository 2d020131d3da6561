/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/quantizer.h — one quantizer: pytorch-quantization's QuantDescriptor and TensorQuantizer.
 *
 *     ptq_quant_desc d;
 *     ptq_quant_desc_init(&d); // QuantDescriptor(): 8 bits, per tensor, max
 *     d.calib_method = PTQ_CALIB_METHOD_HISTOGRAM;
 *     ptq_quantizer *q;
 *     ptq_status st = ptq_quantizer_create(&d, &q, &err);
 *     if (st != PTQ_OK)
 *         return st;
 *     ptq_quantizer_set_state(q, (ptq_quantizer_state){.if_calib = true});
 *     while (st == PTQ_OK && next_batch(x))
 *         st = ptq_quantizer_run(q, x, dims, rank, y, &err);
 *     if (st == PTQ_OK)
 *         st = ptq_quantizer_load_calib(q, PTQ_CALIB_MSE, 0, &err);
 *     ptq_quantizer_set_state(q, (ptq_quantizer_state){.if_quant = true});
 *
 * Fields that no runtime can deploy (per slice inputs, 4-bit activations ...) can be simulated all
 * the same; writing a file with them is what is refused.
 */
#ifndef PTQ_QUANTIZER_H
#define PTQ_QUANTIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptq/error.h"
#include "ptq/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a range is found from what was seen. */
typedef enum ptq_calib {
    PTQ_CALIB_MAX,
    PTQ_CALIB_PERCENTILE,
    PTQ_CALIB_ENTROPY,
    PTQ_CALIB_MSE
} ptq_calib;

/* What is kept of what is seen: the largest |x|, or a histogram of |x| (one per tensor). */
typedef enum ptq_calib_method { PTQ_CALIB_METHOD_MAX, PTQ_CALIB_METHOD_HISTOGRAM } ptq_calib_method;

enum { PTQ_MAX_AXES = 8 };

/* Strings and lists are borrowed for the call that takes the descriptor. */
typedef struct ptq_quant_desc {
    int num_bits;                  /* 8; 2 ... 16 */
    const char *name;              /* NULL; at most 63 bytes, a remark */
    bool fake_quant;               /* true: values; false: codes, refused in a layer */
    int n_axis;                    /* 0: one range for the tensor */
    int axis[PTQ_MAX_AXES];        /* axes whose slices have a range each; < 0 from the end */
    int n_amax;                    /* 0: to be calibrated; 1, or one range per slice */
    const float *amax;             /* n_amax */
    bool learn_amax;               /* false: the range is fitted to the layer's output; needs
                                      n_axis 0 */
    float scale_amax;              /* 1; multiplies the range where it is used */
    ptq_calib_method calib_method; /* max */
    ptq_calib amax_method;         /* mse; on a histogram */
    double percentile;             /* 99.99 */
    bool is_unsigned;              /* false: codes from -128; true: 0 ... 255 */
    bool narrow_range;             /* false; true: -127 is the lowest code */
} ptq_quant_desc;

PTQ_API_VOID void ptq_quant_desc_init(ptq_quant_desc *d);

/* What a call does, in this order: nothing when disabled; if_calib: the values go to the
 * calibrator; if_clip: they are cut at the learned range; if_quant: they are quantized. */
typedef struct ptq_quantizer_state {
    bool disabled; /* false */
    bool if_quant; /* true */
    bool if_clip;  /* false; true after learn_amax */
    bool if_calib; /* false */
} ptq_quantizer_state;

typedef struct ptq_quantizer ptq_quantizer;

/* `d` NULL: the defaults. PTQ_USAGE: fields that contradict each other. */
PTQ_API ptq_status ptq_quantizer_create(const ptq_quant_desc *d, ptq_quantizer **out,
                                        ptq_error *err);
PTQ_API_VOID void ptq_quantizer_destroy(ptq_quantizer *q); /* NULL allowed */

PTQ_API_VOID ptq_quantizer_state ptq_quantizer_get_state(const ptq_quantizer *q);
PTQ_API_VOID void ptq_quantizer_set_state(ptq_quantizer *q, ptq_quantizer_state state);

/* Row-major values of `rank` dimensions; x == y is allowed. Without a range that of the values is
 * used ("dynamic"). */
PTQ_API ptq_status ptq_quantizer_run(ptq_quantizer *q, const float *x, const int64_t *dims,
                                     int rank, float *y, ptq_error *err);

/* The range of what the calibrator saw; percentile 0: that of the descriptor. PTQ_DATA: it saw
 * nothing. */
PTQ_API ptq_status ptq_quantizer_load_calib(ptq_quantizer *q, ptq_calib method, double percentile,
                                            ptq_error *err);
/* A fixed range, or one per slice; n 0: dynamic. */
PTQ_API ptq_status ptq_quantizer_set_amax(ptq_quantizer *q, const float *amax, size_t n,
                                          ptq_error *err);

/* How many there are (0: not known yet, dynamic), and in *values, which may be NULL, the numbers;
 * they belong to the quantizer. amax is without scale_amax, the others with it:
 * step_size = amax / 127 (the scale of ONNX), scale = 127 / amax (that of the original). */
PTQ_API_VOID size_t ptq_quantizer_amax(const ptq_quantizer *q, const float **values);
PTQ_API_VOID size_t ptq_quantizer_step_size(const ptq_quantizer *q, const float **values);
PTQ_API_VOID size_t ptq_quantizer_scale(const ptq_quantizer *q, const float **values);

/* "8bit fake per-tensor amax=2.6400 calibrator=HistogramCalibrator quant", as printing the
 * original. Valid until the next call. NULL when out of memory. */
PTQ_API_VOID const char *ptq_quantizer_text(ptq_quantizer *q);

#ifdef __cplusplus
}
#endif
#endif
