/* SPDX-License-Identifier: Apache-2.0 */
/* quant/descriptor.h — how one tensor is to be quantized, before its range is known.
 *
 * Fields and defaults are those of pytorch-quantization's QuantDescriptor and the states of its
 * TensorQuantizer (algorithms.md §1). A patch is what a file says: only the fields it names.
 */
#ifndef QUANT_DESCRIPTOR_H
#define QUANT_DESCRIPTOR_H

#include <stdint.h>

#include "formats/yaml_doc.h"
#include "quant/calibrate_amax.h"

typedef struct descriptor {
    bool enabled;  /* not `disabled`, and if_quant */
    int num_bits;  /* 2 ... 16 */
    int axis;      /* -1: per tensor */
    bool has_amax; /* a fixed range: nothing is calibrated */
    float amax;
    float scale_amax; /* multiplies the range */
    bool is_unsigned;
    bool narrow_range;
    bool is_learned;    /* learn_amax: for training; here the range is calibrated */
    bool is_calibrated; /* if_calib: without it a fixed range is required */
    bool use_histogram; /* calib_method: "histogram", else "max" */
    amax_method method; /* on a histogram */
    double percentile;
} descriptor;

/* Input: 8 bits, per tensor, histogram with `method`. Weight: 8 bits, per channel, max. */
descriptor descriptor_input(amax_method method, double percentile);
descriptor descriptor_weight(int axis);

typedef struct descriptor_patch {
    uint32_t set; /* which fields of `value` the file names */
    descriptor value;
} descriptor_patch;

/* Reads a mapping. PTQ_USAGE names the line and, for an unknown key, the nearest known one. */
PTQ_CHECKED ptq_status descriptor_patch_parse(const yaml_doc *doc, const yaml_value *v,
                                              descriptor_patch *out, ptq_error *err);
void descriptor_apply(descriptor *d, const descriptor_patch *p);
/* Whether the patch decides the range (amax, scale_amax, method, percentile). */
bool descriptor_patch_has_range(const descriptor_patch *p);

/* The amax method this descriptor asks for. */
amax_method descriptor_method(const descriptor *d);

#endif
