/* SPDX-License-Identifier: Apache-2.0 */
/* passes/passes.h — graph to graph. Each pass leaves a graph that verifies and computes the same
 * (up to the rounding it says), and can be left out.
 */
#ifndef PASSES_PASSES_H
#define PASSES_PASSES_H

#include "graph/detector_form.h"
#include "graph/graph.h"
#include "graph/qparams.h"

/* Folds every node whose inputs are all constants, and shapes when no graph input is dynamic; moves
 * constant parameters into attributes. Quantizers of constants, convolutions and the like stay. */
PTQ_CHECKED ptq_status pass_fold_constants(graph *g, ptq_error *err);
/* Fixes input 0 to a shape for good, then folds: how a file that computes shapes from a dynamic
 * input becomes a graph of one size. PTQ_SHAPE when the input is fixed to another one. */
PTQ_CHECKED ptq_status pass_fix_input_shape(graph *g, const shape *s, ptq_error *err);
/* Casts from float32 to float32, which is what those of float16 files are here, go. Types known. */
PTQ_CHECKED ptq_status pass_drop_casts(graph *g, ptq_error *err);
/* x*sigmoid(x) -> Silu; x*hardsigmoid(x) and x*clip(x+3,0,6)/6 -> HardSwish. */
PTQ_CHECKED ptq_status pass_recognise_activations(graph *g, ptq_error *err);
/* The decode of a YOLOv5/v7 head spelled out in Reshape ... Reshape -> YoloDecode. Equal up to the
 * rounding of two ways to write the same sum. After pass_fold_constants, shapes known. */
PTQ_CHECKED ptq_status pass_recognise_decode(graph *g, ptq_error *err);
/* Files will spell every YoloDecode out with the pixels first, and the convolution it reads as a
 * product of pixels: less to turn for runtimes whose convolutions have channels last. */
void pass_decode_pixels_first(graph *g);
/* Transpose to channels last, MatMul, Add, Transpose back -> Conv. The same products, summed in
 * another order. */
PTQ_CHECKED ptq_status pass_recognise_products(graph *g, ptq_error *err);
/* Conv -> BatchNormalization: folded into the convolution (spec model.md §4, float32, one rounding
 * per operation as the official code). Creates the bias when there is none. */
PTQ_CHECKED ptq_status pass_fuse_batch_norm(graph *g, ptq_error *err);
/* A sum of parallel 3x3 and centre-padded 1x1 convolutions (and identity BN) of one tensor becomes
 * one 3x3 convolution (RepConv, spec model.md §4). After pass_fuse_batch_norm. */
PTQ_CHECKED ptq_status pass_fuse_rep(graph *g, ptq_error *err);
/* Conv(x + ia) * im with constants: folded into the convolution (ImplicitA/M, spec model.md §4). */
PTQ_CHECKED ptq_status pass_fuse_implicit(graph *g, ptq_error *err);
/* Folding, recognising and fusing, then prune: what the official Model.fuse() does. */
PTQ_CHECKED ptq_status passes_clean(graph *g, ptq_error *err);

/* Sets the graph's detector_form: of `family`, or of the one whose output its own looks like; of
 * YOLOv7 when there is none. PTQ_SHAPE: the output is not that of `family`. */
PTQ_CHECKED ptq_status pass_recognise_family(graph *g, detector_family family, ptq_error *err);
/* Rows in pixels [N,rows,5+classes] instead of a detector's own output, where that is another. */
PTQ_CHECKED ptq_status pass_append_detections(graph *g, ptq_error *err);

/* Puts Q/DQ pairs where the plan says; equal pairs on one tensor are one pair. A zero amax gives
 * scale 1. Weights become int8 constants behind a DequantizeLinear (or stay float behind Q, DQ).
 * More than 8 bits are codes of 16; where a quantizer has fewer codes than its type (4 bits, narrow
 * range), a Clip stands before the Q. PTQ_UNSUPPORTED: the place is quantized already. */
PTQ_CHECKED ptq_status pass_insert_qdq(graph *g, const qplan *plan, ptq_error *err);
/* A Silu from codes to codes becomes Sigmoid and Mul with the sigmoid in codes, too: the only form
 * that ONNX Runtime computes on codes. */
PTQ_CHECKED ptq_status pass_spell_silu(graph *g, ptq_error *err);
/* What a quantized convolution alone reads, in 1 to 3 channels (images), gets channels of 0 up to
 * four before its quantizer, and the convolution's codes weights of 0: ONNX Runtime's integer
 * convolutions want whole groups of four, and are several times as fast with them. */
PTQ_CHECKED ptq_status pass_pad_channels(graph *g, ptq_error *err);
/* The way back, for whoever does not need it. */
PTQ_CHECKED ptq_status pass_drop_padded_channels(graph *g, ptq_error *err);
/* Constants of the nodes that compute in float16 in a float16 file (all but graph_mark_tail's) get
 * values that float16 has, and their quantizers round to float16 first: the graph says what such a
 * file will say. */
PTQ_CHECKED ptq_status pass_round_half(graph *g, ptq_error *err);
/* Removes every Q/DQ pair; int8 weights become float again (code * scale). After insertion with
 * float_weights the result is the float graph exactly. */
PTQ_CHECKED ptq_status pass_remove_qdq(graph *g, ptq_error *err);

typedef enum precision { PRECISION_FP32, PRECISION_FP16, PRECISION_BF16, PRECISION_INT8 } precision;

typedef struct lower_options {
    precision precision;
    bool has_bf16;           /* the machine has instructions for it */
    const char *const *keep; /* names, NULL-terminated, of tensors that are not fused away and not
                                pruned; those the graph has not are ignored; NULL: none */
    unsigned without;        /* fusions that are left out (graph/fusion.h) */
} lower_options;

/* Makes the graph ready for the engine in one precision:
 *   FP32: Q/DQ stay and are computed in float (simulation);
 *   FP16: the same, every convolution with float16-rounded inputs and results (simulation);
 *   BF16: convolutions compute in bf16 and image tensors between them are bf16;
 *   INT8: Q/DQ around convolutions become QCONV (integer), quantizers sink through Concat, MaxPool
 *         and nearest Resize and into the producing convolution; convolutions without Q/DQ compute
 *         in bf16 where `has_bf16`, else and in float16 files in f32.
 * Activations are fused into convolutions in all of them. */
PTQ_CHECKED ptq_status pass_lower(graph *g, const lower_options *options, ptq_error *err);

/* Two lowered graphs of one network that differ in quantizers or weights: leaves in `g` the nodes
 * that compute something else than in `base`, and only such outputs. Its input 0 stays; input 1 + i
 * is the tensor (*taken)[i] of `base`, images as [N,H,W,C]; ranks must be known. Constants equal to
 * those of `base` are shared with it. mem_free(*taken). */
PTQ_CHECKED ptq_status pass_cut_suffix(graph *g, const graph *base, tensor_id **taken, int *n_taken,
                                       ptq_error *err);

#endif
