/* SPDX-License-Identifier: Apache-2.0 */
/* quant/descriptor.h — how one tensor is to be quantized, before its range is known.
 *
 * Fields and defaults are those of pytorch-quantization's QuantDescriptor and the states of its
 * TensorQuantizer (algorithms.md §1). A patch is what a file or a caller says: only the fields it
 * names.
 */
#ifndef QUANT_DESCRIPTOR_H
#define QUANT_DESCRIPTOR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "formats/yaml_doc.h"
#include "graph/tensor.h"
#include "quant/calibrate_amax.h"

enum { DESCRIPTOR_NAME_BYTES = 64 };

typedef struct descriptor {
    char name[DESCRIPTOR_NAME_BYTES]; /* "" when there is none; a remark */
    int num_bits;                     /* 2 ... 16 */
    int n_axis;                       /* 0: per tensor */
    int axis[SHAPE_MAX_RANK];         /* axes whose slices have ranges of their own; negative ones
                                         count from the end */
    int n_amax;                       /* 0: to be found; else a fixed range, or one per slice */
    float amax;                       /* when n_amax is 1 */
    const float *amax_list;           /* when n_amax > 1; borrowed */
    float scale_amax;                 /* multiplies the range */
    bool is_unsigned;
    bool narrow_range;
    bool learn_amax;    /* the range that makes the layer's output error smallest */
    bool use_histogram; /* calib_method: "histogram", else "max" */
    amax_method method; /* on a histogram */
    double percentile;
    bool disabled; /* the states of a TensorQuantizer */
    bool if_quant;
    bool if_clip;
    bool if_calib; /* without it a fixed range is required */
} descriptor;

/* QuantDescriptor's own defaults: 8 bits, per tensor, max. */
descriptor descriptor_plain(void);
/* What layers get: an input with a histogram and `method`, a weight per output channel. */
descriptor descriptor_input(amax_method method, double percentile);
descriptor descriptor_weight(int axis);

/* Whether anything is done to the values. */
bool descriptor_is_on(const descriptor *d);
/* Fixed range `i` (0 <= i < n_amax), without scale_amax. */
float descriptor_amax(const descriptor *d, int i);
/* The amax method this descriptor asks for. */
amax_method descriptor_method(const descriptor *d);

typedef struct descriptor_patch {
    uint32_t set; /* which fields of `value` are named */
    descriptor value;
} descriptor_patch;

/* Reads a mapping; lists live in `memory`. PTQ_USAGE names the line and, for an unknown key, the
 * nearest known one. */
PTQ_CHECKED ptq_status descriptor_patch_parse(const yaml_doc *doc, const yaml_value *v,
                                              arena *memory, descriptor_patch *out, ptq_error *err);
/* Every field of `d`. */
descriptor_patch descriptor_patch_all(const descriptor *d);
void descriptor_apply(descriptor *d, const descriptor_patch *p);
/* Whether the patch decides the range (amax, scale_amax, method, percentile, learning). */
bool descriptor_patch_has_range(const descriptor_patch *p);

/* The axes of `d` in a tensor of `rank`, as bits; negative ones count from the end. PTQ_USAGE: one
 * lies outside, or is named twice. */
PTQ_CHECKED ptq_status descriptor_axes(const descriptor *d, int rank, uint32_t *axes,
                                       ptq_error *err);

/* PTQ_USAGE when fields contradict each other: what QuantDescriptor refuses. */
PTQ_CHECKED ptq_status descriptor_check(const descriptor *d, ptq_error *err);

/* Appends "num_bits: 4, unsigned: true": the fields in which `d` differs from `base`, as quant.yaml
 * reads them. `force`: the method is written in any case. */
void descriptor_write(str *out, const descriptor *d, const descriptor *base, bool force);

#endif
