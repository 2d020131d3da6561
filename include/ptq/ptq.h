/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/ptq.h — post-training quantization of object detectors, as a library.
 *
 * Read from top to bottom: open a model, look at it, measure it, insert quantizers, calibrate, rank
 * the layers, quantize, check the file, run it, compare. Each section begins with some lines of
 * code; all of them together are one program, which the tests compile and run. It begins here:
 *
 *     #include <stdio.h>
 *     #include "ptq/ptq.h"
 *
 *     static int fail(const ptq_error *err)
 *     {
 *         fprintf(stderr, "%s\n", err->message);
 *         return ptq_status_exit_code(err->code);
 *     }
 *
 *     int main(void)
 *     {
 *
 * What holds everywhere:
 * - A function that can fail returns a ptq_status, PTQ_OK being 0, and has a ptq_error last, which
 *   may be NULL; its message is a sentence that can be shown. Outputs stay as they were on failure.
 *   ptq/error.h lists the statuses. PTQ_USAGE: the options contradict each other; PTQ_IO, PTQ_DATA:
 *   a file or the data set; PTQ_FORMAT, PTQ_UNSUPPORTED, PTQ_SHAPE: the model; PTQ_LIMIT: memory;
 *   PTQ_CANCELLED: env->cancel. Any call may return PTQ_LIMIT, any that takes an env PTQ_CANCELLED.
 * - Options are plain structs: call their _init function, then set what differs; comments at fields
 *   give the defaults. Strings and lists in options are borrowed for the call.
 * - A ptq_env (ptq/env.h) lends threads, a log, progress and a way to cancel; NULL will do.
 * - Nothing is printed and nothing is global. Several models may be used from several threads, one
 *   call at a time per model.
 * - Accuracies, shares and scores are fractions (0 ... 1), times milliseconds, sizes MiB. Pictures
 *   enter a network as float32 [N,3,H,W], RGB, 0 ... 1 (YOLOX: BGR, 0 ... 255); boxes leave in
 *   pixels of the picture, x1, y1, x2, y2.
 */
#ifndef PTQ_PTQ_H
#define PTQ_PTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptq/env.h"
#include "ptq/error.h"
#include "ptq/export.h"
#include "ptq/image.h"
#include "ptq/quant_config.h"
#include "ptq/quantizer.h"
#include "ptq/runner.h"
#include "ptq/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- opening a model */

/* A model is a file in memory: its float network, fused as the official code fuses it (batch norms,
 * RepConv, ImplicitA/M), or, of a Q/DQ file, the network with its quantizers.
 *
 *         ptq_error err;
 *         ptq_model *model;
 *         ptq_load_options load = {.keep_unfused = true};
 *         if (ptq_model_load("yolov7.pt", &load, NULL, &model, &err))
 *             return fail(&err);
 */
typedef struct ptq_load_options {
    const char *weights; /* "ema" or "model"; NULL: ema when it is there */
    const char *cfg;     /* build from this yolov7.yaml, load the weights by name; or NULL */
    size_t max_bytes;    /* refuse larger files and tensors; 0: 4 GiB */
    size_t max_depth;    /* nesting of a checkpoint; 0: 1000 */
    bool keep_unfused;   /* keep the network as it stands in the file, too; ptq_info() needs it */
    const char *family;  /* "yolov7", "yolox" or "yolov8": how pictures go in and boxes come out;
                            NULL or "auto": recognised */
    int image_size; /* of a file that computes shapes from an input it leaves open: it is read for
                       this size; 0: 640 */
} ptq_load_options;

/* Reads a .pt checkpoint or an ONNX file, told apart by content. Nothing in the file is executed.
 * All of `options` may be zero, or NULL. On success *out must be given to ptq_model_destroy().
 * PTQ_IO: no such file; PTQ_FORMAT: it is damaged or no model; PTQ_UNSUPPORTED: modules or
 * operators that are not known, all of them named; PTQ_LIMIT: larger than max_bytes. */
PTQ_API ptq_status ptq_model_load(const char *path, const ptq_load_options *options,
                                  const ptq_env *env, ptq_model **out, ptq_error *err);
PTQ_API_VOID void ptq_model_destroy(ptq_model *model); /* NULL allowed */
/* The name of class `cls`, from 0, as the file says it; NULL: it does not. Owned by the model. */
PTQ_API const char *ptq_model_class(const ptq_model *model, int cls);

/* ---------------------------------------------------------------- what a command answers */

/* Every command answers with a ptq_result: one JSON document, the single truth, of which the text
 * is a view. The comment at each command names the keys of its "result". The caller destroys it.
 *
 *         ptq_result *r;
 */
typedef struct ptq_result ptq_result;

PTQ_API_VOID void ptq_result_destroy(ptq_result *r); /* NULL allowed */
/* The whole document: {"schema":1,"command":...,"model":{},"config":{},"environment":{},
 * "result":{},"warnings":[]}, UTF-8. What cannot be known is null. Owned by the result. */
PTQ_API const char *ptq_result_json(const ptq_result *r);
/* The table a person reads. Owned by the result. */
PTQ_API const char *ptq_result_text(const ptq_result *r);
/* The same for a terminal of so many columns: columns of tables that do not fit go on below, and
 * sentences are folded. Takes the place of the text before, which goes. */
PTQ_API const char *ptq_result_text_fit(ptq_result *r, int columns);
/* A number inside "result" by dotted path ("coco.ap", "layers.0.score"). false: there is none, and
 * *value stays as it was. */
PTQ_API bool ptq_result_number(const ptq_result *r, const char *path, double *value);
/* A text inside "result" ("quantizers.0.layer"). NULL: there is none. Owned by the result. */
PTQ_API const char *ptq_result_string(const ptq_result *r, const char *path);
/* PTQ_OK, or PTQ_NO when the run ended and the answer is no (a gate not met, a file that its target
 * will refuse). */
PTQ_API ptq_status ptq_result_verdict(const ptq_result *r);

/* ---------------------------------------------------------------- what several commands are told
 */

/* Which images, and how they are put before the network. */
typedef struct ptq_data_options {
    const char *yaml;        /* data yaml: train, val, nc, names, annotations; or a folder of
                                pictures, of which every fourth is the val split */
    const char *split;       /* "val"; calibration: "train" */
    const char *root;        /* replaces a foreign prefix of the lists; or NULL */
    const char *annotations; /* COCO instances file; overrides the yaml's; or NULL */
    int image_size;          /* 640; pixels of the longer side, a multiple of the model's stride.
                                A file with a fixed input has its own, with a warning */
    int batch;               /* 4 */
    int limit;               /* first N images; 0: all */
    int stride;              /* 32; rectangular shapes are multiples of it */
    double pad;              /* 0.5; of rectangular batches, in strides */
    bool rect;               /* true: rectangular batches as YOLOv7's test.py; ignored by files with
                                a fixed input */
    bool single_class;       /* false; true: all labels are class 0 */
    bool unlabelled;         /* false; true: labels are not needed, nothing is compared with them */
} ptq_data_options;

/* How ranges are found and where quantizers go. */
typedef struct ptq_quant_options {
    ptq_calib calib;                  /* mse */
    double percentile;                /* 99.99; of |x|, in (0, 100] */
    int calib_images;                 /* 0: 300 (260 with compat_pytorch), all when fewer */
    int calib_batch;                  /* images at a time; 0: 4; with compat_pytorch 10 while they
                                         have 2 million pixels at most. Matters only there */
    bool shuffle;                     /* draw the calibration images by env->seed */
    const ptq_image_source *images;   /* calibration images from memory, instead of the yaml's; or
                                         NULL */
    const char *calib_from;           /* ranges from an earlier `ptq calibrate`; or NULL */
    const char *config;               /* quant.yaml; or NULL. Gives it every amax, no images are
                                         needed */
    const ptq_quant_config *settings; /* the same as an object, instead of `config`; or NULL */
    const char *save_config;          /* writes what is inserted as quant.yaml; or NULL */
    const char *const *exclude; /* regular expressions on layer names, NULL-terminated; or NULL */
    bool compat_pytorch;        /* follow pytorch-quantization's collecting and search rules */
    int share_scales;           /* 1, 0, or -1: as the target likes */
    int residual;               /* quantize the residual input of an Add: 1, 0, -1 */
    bool quantize_head;         /* the output convolutions too */
    bool float_weights;         /* float weights behind Q and DQ: the float graph can be restored */
} ptq_quant_options;

/* ---------------------------------------------------------------- looking at it */

/* What is in the file, and where automatic insertion would put quantizers.
 *
 *         ptq_info_options look;
 *         ptq_info_options_init(&look);
 *         look.quant = true;
 *         if (ptq_info(model, &look, NULL, &r, &err))
 *             return fail(&err);
 *         puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 */
typedef struct ptq_info_options {
    bool quant;                   /* the quantizers that insertion puts (or that the file has) */
    bool nodes;                   /* one line per node */
    int image_size;               /* 640 */
    const char *target;           /* of the insertion: "tensorrt10"; NULL: no target's wishes */
    ptq_quant_options quantizers; /* how it is made; nothing is calibrated */
    bool force;                   /* overwrite quantizers.save_config */
} ptq_info_options;
PTQ_API_VOID void ptq_info_options_init(ptq_info_options *o);
/* Result: format, inputs and outputs [{name, shape, dtype}], layers, parameters, gflops (2 per
 * multiply-accumulate), before and after fusing; fused_max_abs_diff, the largest difference of an
 * output that fusing makes; ops {name: count}; with `quant` quantizers [{layer, op, tensor, group,
 * input, weight}] and kept [{layer, reason}]. A model with keep_unfused is needed for what was
 * before fusing. */
PTQ_API ptq_status ptq_info(ptq_model *m, const ptq_info_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

/* What this machine offers. Result: cpu, level (the instruction set in use), threads, kernels
 * [{family, kernel, isa}]. */
PTQ_API ptq_status ptq_info_machine(const ptq_env *env, ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- measuring it */

/* mAP as YOLOv7's test.py computes it. What is measured before quantizing and after it must be
 * measured alike: the result's config says by which protocol.
 *
 *         ptq_eval_options eval;
 *         ptq_eval_options_init(&eval);
 *         eval.data.yaml = "coco.yaml";
 *         eval.data.limit = 500;
 *         double map = 0;
 *         if (ptq_eval(model, &eval, NULL, &r, &err))
 *             return fail(&err);
 *         if (ptq_result_number(r, "map50_95", &map))
 *             printf("float: %.4f\n", map);
 *         ptq_result_destroy(r);
 */
typedef struct ptq_eval_options {
    ptq_data_options data;
    ptq_precision precision; /* AUTO: int8 for a Q/DQ model, else fp32 */
    double conf;             /* 0.001; lowest score of a detection */
    double iou;              /* 0.65; overlap above which the lower score goes */
    bool per_class;
    bool coco;                   /* pycocotools' twelve numbers too */
    const char *save_detections; /* COCO results file; or NULL */
    const char *save_inputs;     /* folder: the letterboxed tensors with an index; or NULL */
    const char *from_outputs;    /* folder: score outputs another runtime made of them; or NULL */
    bool force;                  /* overwrite outputs */
} ptq_eval_options;
PTQ_API_VOID void ptq_eval_options_init(ptq_eval_options *o);
/* Result: images, labels, precision, recall, map50, map50_95, speed_ms {preprocess, inference, nms}
 * per image, per_class [], coco {ap, ap50 ...}. PTQ_DATA: no labels, or classes that are not the
 * model's; PTQ_UNSUPPORTED: a classifier, or no output of decoded boxes [N,rows,5+classes]. */
PTQ_API ptq_status ptq_eval(ptq_model *m, const ptq_eval_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);
/* Scores a COCO results file (a list of {image_id, category_id, bbox [x,y,w,h], score}) against an
 * instances file; no model. Result: images, detections, coco {}. */
PTQ_API ptq_status ptq_eval_detections(const char *detections, const char *annotations,
                                       const ptq_env *env, ptq_result **out, ptq_error *err);

/* `ptq list`: absolute paths of every image below `dir`, sorted, one per line into `output`, to be
 * named in a data yaml. Result: images, output. PTQ_DATA: there is none. */
PTQ_API ptq_status ptq_list(const char *dir, const char *output, bool force, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- inserting quantizers */

/* The quantizers of a model in memory, as pytorch-quantization works: they are put into the model,
 * whose forward then simulates them (ptq_eval, ptq_run, ptq_compare), may be switched off and on,
 * and be taken away again. ptq_quantize() below does not need this; it is for trying.
 *
 *         ptq_insert_options insert;
 *         ptq_insert_options_init(&insert);
 *         insert.data.yaml = "coco.yaml";
 *         insert.quant.calib_images = 300;
 *         insert.quant.exclude = (const char *[]){"model\\.105\\.", NULL};
 *         if (ptq_insert_quantizers(model, &insert, NULL, &r, &err))
 *             return fail(&err);
 *         ptq_result_destroy(r);
 *
 *         ptq_layers stem = {.path = "model.0"};
 *         if (ptq_enable_quantizers(model, &stem, PTQ_INPUT, false, NULL, &err))
 *             return fail(&err);
 *         eval.precision = PTQ_PRECISION_FP32;
 *         if (ptq_eval(model, &eval, NULL, &r, &err))
 *             return fail(&err);
 *         if (ptq_result_number(r, "map50_95", &map))
 *             printf("simulated, the stem's input left float: %.4f\n", map);
 *         ptq_result_destroy(r);
 *         if (ptq_remove_quantizers(model, &err))
 *             return fail(&err);
 */
typedef struct ptq_insert_options {
    ptq_data_options data; /* calibration images: split "train" */
    ptq_quant_options quant;
    const char *target; /* whose wishes count for sharing; "tensorrt10" */
} ptq_insert_options;
PTQ_API_VOID void ptq_insert_options_init(ptq_insert_options *o);
/* Calibrates and inserts. Result: quantized_layers, kept_layers [], quantizers []. PTQ_USAGE: the
 * model has quantizers already; PTQ_UNSUPPORTED: target "onnxruntime", which computes on codes. */
PTQ_API ptq_status ptq_insert_quantizers(ptq_model *m, const ptq_insert_options *o,
                                         const ptq_env *env, ptq_result **out, ptq_error *err);
/* Back to the float model, to the bit. Of a model that was loaded with quantizers this needs float
 * weights in the file: PTQ_UNSUPPORTED when they are codes. PTQ_USAGE: there are none. */
PTQ_API ptq_status ptq_remove_quantizers(ptq_model *m, ptq_error *err);
/* Switches those on or off that were inserted: PTQ_INPUT, PTQ_WEIGHT or PTQ_INPUT + i of the layers
 * that `which` fits. Ranges stay. *n, which may be NULL, is their number; PTQ_USAGE when there are
 * none. */
PTQ_API ptq_status ptq_enable_quantizers(ptq_model *m, const ptq_layers *which, ptq_role role,
                                         bool enabled, int *n, ptq_error *err);

/* Whose quantizer it is; the names belong to the model, until its quantizers change. */
typedef struct ptq_quantizer_place {
    const char *layer;
    const char *op;
    const char *tensor; /* what it quantizes */
    ptq_role role;
} ptq_quantizer_place;
/* How many the model has, inserted or of its file. */
PTQ_API_VOID int ptq_n_quantizers(const ptq_model *m);
/* A copy of quantizer `i`, 0 <= i < ptq_n_quantizers(), to read and to try: ptq_quantizer_destroy()
 * it. `place` may be NULL. PTQ_USAGE: there is no such one. */
PTQ_API ptq_status ptq_get_quantizer(const ptq_model *m, int i, ptq_quantizer_place *place,
                                     ptq_quantizer **out, ptq_error *err);

/* ---------------------------------------------------------------- calibrating */

/* One pass over the images, every method: the ranges are kept in a file, from which the sections
 * below take them without looking at images again.
 *
 *         ptq_calibrate_options calibrate;
 *         ptq_calibrate_options_init(&calibrate);
 *         calibrate.data.yaml = "coco.yaml";
 *         calibrate.quant.calib_images = 300;
 *         calibrate.output = "ranges.json";
 *         calibrate.force = true;
 *         if (ptq_calibrate(model, &calibrate, NULL, &r, &err))
 *             return fail(&err);
 *         ptq_result_destroy(r);
 */
typedef struct ptq_calibrate_options {
    ptq_data_options data; /* split "train"; squares of image_size */
    ptq_quant_options quant;
    const char *target; /* "tensorrt10" (default); with "onnxruntime" the ranges serve all targets,
                           for twice the work */
    const char *output; /* the ranges, as JSON; or NULL */
    const char *trt_cache; /* also a calibration cache for TensorRT's implicit INT8, with ranges by
                              quant.calib; or NULL */
    const char *trt_version; /* of the TensorRT that will read it: "10.3.0" */
    bool force;              /* replace both files */
} ptq_calibrate_options;
PTQ_API_VOID void ptq_calibrate_options_init(ptq_calibrate_options *o);
/* Result: images, tensors [{name, layers [], amax {max, percentile, entropy, mse}, low, high,
 * count}], amax being the largest |x| that the range keeps, count the values seen; coverage,
 * whether more images would move the ranges. PTQ_DATA: no images; PTQ_USAGE: the model has
 * quantizers; PTQ_CANCELLED: what was found is kept beside OUTPUT, from which the same call
 * goes on. */
PTQ_API ptq_status ptq_calibrate(ptq_model *m, const ptq_calibrate_options *o, const ptq_env *env,
                                 ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- ranking the layers */

/* Which layers cost accuracy. A journal keeps what was measured: the same call after an
 * interruption goes on from there, to the same bits.
 *
 *         ptq_sensitivity_options rank;
 *         ptq_sensitivity_options_init(&rank);
 *         rank.data.yaml = "coco.yaml";
 *         rank.data.limit = 100;
 *         rank.quant.calib_from = "ranges.json";
 *         rank.journal = "rank.journal";
 *         if (ptq_sensitivity(model, &rank, NULL, &r, &err))
 *             return fail(&err);
 *         const char *worst = ptq_result_string(r, "layers.0.name");
 *         printf("costs most: %s\n", worst ? worst : "none");
 *         ptq_result_destroy(r);
 */
typedef struct ptq_sensitivity_options {
    ptq_data_options data;
    ptq_quant_options quant;
    const char *mode;        /* "only" (default): one layer quantized; "all-but": one left float */
    const char *metric;      /* "map" (default); "fidelity": mAP against the float model's own
                                detections; "sqnr": of the outputs; the latter two need no labels */
    const char *granularity; /* "conv" (default), "block" */
    int top;                 /* 10 */
    const char *journal;     /* resume file; or NULL */
    bool exhaustive;         /* evaluate every layer on every image */
    double confidence;       /* 0.95; of the interval low ... high */
    size_t memory_bytes;     /* for the tensors of an image that networks share; 0: 2 GiB */
} ptq_sensitivity_options;
PTQ_API_VOID void ptq_sensitivity_options_init(ptq_sensitivity_options *o);
/* Result: baseline, layers [{name, op, score, drop, low, high, sqnr_db, evaluations}], worst first
 * (a larger drop is worse; low and high bound the score), top [names], elapsed_ms. PTQ_USAGE: the
 * journal is of another ranking; PTQ_UNSUPPORTED: a classifier. */
PTQ_API ptq_status ptq_sensitivity(ptq_model *m, const ptq_sensitivity_options *o,
                                   const ptq_env *env, ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- quantizing */

/* The whole job in one call: ranges, Q/DQ, the file, and what it costs. Without calib_from it
 * calibrates by itself.
 *
 *         ptq_quantize_options quantize;
 *         ptq_quantize_options_init(&quantize);
 *         quantize.data.yaml = "coco.yaml";
 *         quantize.data.limit = 500;
 *         quantize.quant.calib_from = "ranges.json";
 *         quantize.output = "yolov7.int8.onnx";
 *         quantize.report_dir = "report";
 *         quantize.force = true;
 *         if (ptq_quantize(model, &quantize, NULL, &r, &err))
 *             return fail(&err);
 *         if (ptq_result_number(r, "int8.map50_95", &map))
 *             printf("int8: %.4f\n", map);
 *         puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 */
/* What a written file gives: input "images" [batch,3,S,S], float32 (float16 for tensorrt11). */
typedef struct ptq_form_options {
    int batch;          /* 1; -1: dynamic */
    const char *head;   /* "decoded" (default): boxes and scores, [batch,rows,5+classes]; "raw": the
                           maps of each level; "nms": detections [n,7] (image, x1, y1, x2, y2,
                           class, score) */
    double conf;        /* 0.25; lowest score of a detection, of head "nms" as what follows */
    double iou;         /* 0.45 */
    int max_det;        /* 100, per image */
    bool external_data; /* weights in a file of their own, "<output>.data"; a file that would pass
                           2 GiB has them there in any case */
} ptq_form_options;

typedef struct ptq_quantize_options {
    ptq_data_options data; /* calibration uses split "train", the evaluation "val" */
    ptq_quant_options quant;
    const char *output; /* the Q/DQ ONNX file */
    const char *target; /* "tensorrt10" (default), "tensorrt11", "onnxruntime" */
    ptq_form_options form;
    int keep16;             /* rank, keep the N worst layers in 16 bit; 0: none */
    double max_drop;        /* allowed loss of mAP as a fraction (0.005); <0: no gate. With effort
                               "default" and more, layers are kept until it is met on the
                               calibration images; the evaluation is the gate */
    double max_ms;          /* most accurate choice of 16-bit layers within this time; 0: none */
    const char *metric;     /* what ranking and gate go by: "map", or "fidelity" (mAP against the
                               float model's own detections: no labels needed) */
    const char *effort;     /* "quick" (unless said otherwise), "default", "thorough" */
    const char *report_dir; /* report.json and page; or NULL */
    bool evaluate;          /* true: measure FP32, 16-bit and INT8 at the end */
    bool simulate;          /* no file: the quantizers are measured in float, whatever they say */
    bool force;             /* replace outputs */
} ptq_quantize_options;
PTQ_API_VOID void ptq_quantize_options_init(ptq_quantize_options *o);
/* Result: output, quantized_layers, kept_layers [{name, reason}], quantizers [], fp32, bf16 and
 * int8 {map50_95, map50, change, change_low, change_high, fidelity, latency_ms, speedup, mib},
 * verdict {pass, drop}. The model stays as it was. The verdict is PTQ_NO when max_drop is exceeded;
 * the file is written all the same. PTQ_USAGE: the model has quantizers already; PTQ_UNSUPPORTED:
 * settings that the target cannot have, with the layer; PTQ_DATA: no images, or no labels to
 * measure by; PTQ_IO: another run makes the same output; PTQ_CANCELLED: what was found is kept
 * beside OUTPUT, from which the same call goes on. */
PTQ_API ptq_status ptq_quantize(ptq_model *m, const ptq_quantize_options *o, const ptq_env *env,
                                ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- files: checking, exporting */

/* What a target will make of the file, before it goes to another machine.
 *
 *         ptq_lint_options lint;
 *         ptq_lint_options_init(&lint);
 *         if (ptq_lint("yolov7.int8.onnx", &lint, NULL, &r, &err))
 *             return fail(&err);
 *         if (ptq_result_verdict(r) == PTQ_NO)
 *             puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 */
typedef struct ptq_lint_options {
    const char *target; /* "tensorrt10" (default), "tensorrt11", "onnxruntime" */
    size_t max_bytes;   /* refuse larger files and tensors; 0: 4 GiB */
} ptq_lint_options;
PTQ_API_VOID void ptq_lint_options_init(ptq_lint_options *o);
/* What the target will refuse or run slower, and in which precision each layer will run. Takes the
 * path of an ONNX file and not a model: also files that ptq_model_load() refuses can be judged. The
 * target is not run; this is a forecast. Result: findings [{rule, severity, node, message, fix}],
 * forecast [{node, precision, reason}]. The verdict is PTQ_NO when a finding is an error. */
PTQ_API ptq_status ptq_lint(const char *path, const ptq_lint_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

typedef struct ptq_export_options {
    const char *output;
    int image_size; /* 640 */
    int opset;      /* 0: 13, or 19 for a float16 graph with quantizers */
    bool half;      /* float16 but for the decode; a file that is so already stays so */
    ptq_form_options form;
    bool remove_quantizers; /* the float graph of a file that was written with float weights */
    bool force;
} ptq_export_options;
PTQ_API_VOID void ptq_export_options_init(ptq_export_options *o);
/* The model as ONNX, float or with the quantizers it has. Result: output, opset, nodes, input
 * {name, shape}. PTQ_UNSUPPORTED: quantizers that no file can carry, or codes instead of float
 * weights. */
PTQ_API ptq_status ptq_export(ptq_model *m, const ptq_export_options *o, const ptq_env *env,
                              ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- running it */

/* The file runs here as integers: on pictures, on tensors, and for the clock. Frames of a camera
 * and tensors of one's own go through ptq/runner.h.
 *
 *         ptq_model *int8;
 *         if (ptq_model_load("yolov7.int8.onnx", NULL, NULL, &int8, &err))
 *             return fail(&err);
 *         ptq_detect_options detect;
 *         ptq_detect_options_init(&detect);
 *         detect.images = (const char *[]){"street.jpg", NULL};
 *         detect.out_dir = "found";
 *         detect.force = true;
 *         if (ptq_detect(int8, &detect, NULL, &r, &err))
 *             return fail(&err);
 *         puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 */
typedef struct ptq_detect_options {
    const char *const *images; /* pictures, folders, patterns ("*.jpg") and lists (.txt),
                                  NULL-terminated */
    const char *out_dir;       /* a copy of every picture with its boxes; or NULL */
    int image_size;            /* 640 */
    ptq_precision precision;   /* AUTO: int8 for a Q/DQ model, else fp32 */
    double conf;               /* 0.25; lowest score */
    double iou;                /* 0.45; overlap above which the lower score goes */
    bool force;                /* overwrite pictures in out_dir */
} ptq_detect_options;
PTQ_API_VOID void ptq_detect_options_init(ptq_detect_options *o);
/* Boxes in the pixels of each picture, as YOLOv7's detect.py finds them on a square input. Result:
 * images [{file, detections [{class, name, score, box [x1, y1, x2, y2]}]}], best first. PTQ_IO: no
 * such picture, or one that is no JPEG or PNG. */
PTQ_API ptq_status ptq_detect(ptq_model *m, const ptq_detect_options *o, const ptq_env *env,
                              ptq_result **out, ptq_error *err);

typedef struct ptq_run_options {
    const char *input;       /* .npy float32 [N,3,H,W], row-major; or a JPEG/PNG (letterboxed) */
    int image_size;          /* 640; for pictures */
    const char *out_dir;     /* one .npy per output and tap; or NULL */
    const char *const *taps; /* inner tensors to write, NULL-terminated; or NULL */
    ptq_precision precision; /* AUTO: int8 for a Q/DQ model, else fp32 */
} ptq_run_options;
PTQ_API_VOID void ptq_run_options_init(ptq_run_options *o);
/* One forward. Result: outputs [{name, shape, file}], latency_ms. PTQ_SHAPE: not the shape that the
 * file takes; PTQ_USAGE: a tap that the network has not. */
PTQ_API ptq_status ptq_run(ptq_model *m, const ptq_run_options *o, const ptq_env *env,
                           ptq_result **out, ptq_error *err);

typedef struct ptq_bench_options {
    const ptq_precision *precisions; /* n_precisions of them; none: what the model is made for */
    int n_precisions;
    int image_size; /* 640 */
    int batch;      /* 1 */
    int runs;       /* 50 */
    bool layers;    /* time and kernel per layer */
} ptq_bench_options;
PTQ_API_VOID void ptq_bench_options_init(ptq_bench_options *o);
/* Times forwards of noise, and the machine's peak in the same run. Result: runs [{precision,
 * latency_ms {min, median, mean, p90, p99, max}, images_per_s, gop, peak_gops, peak_fraction,
 * rss_mib, layers []}], load_ms. */
PTQ_API ptq_status ptq_bench(ptq_model *m, const ptq_bench_options *o, const ptq_env *env,
                             ptq_result **out, ptq_error *err);

/* ---------------------------------------------------------------- comparing and showing */

/* The float model and the file side by side, and the end of the program.
 *
 *         ptq_compare_options compare;
 *         ptq_compare_options_init(&compare);
 *         compare.input = "street.jpg";
 *         if (ptq_compare(model, int8, &compare, NULL, &r, &err))
 *             return fail(&err);
 *         puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 *         ptq_model_destroy(int8);
 *         ptq_model_destroy(model);
 *         return 0;
 *     }
 */
typedef struct ptq_compare_options {
    ptq_data_options data; /* yaml may be NULL: then `input` */
    const char *input;     /* .npy or picture; or NULL */
    ptq_precision
        precision_a; /* how each is run; AUTO: int8 for a Q/DQ model, else fp32. With one */
    ptq_precision precision_b; /* Q/DQ file for both, INT8 and FP32: integers against simulation */
    const char *images; /* folder for the first 16 pictures (or `input`), painted: A's boxes on the
                           left, B's on the right; or NULL */
    bool force;         /* replace pictures there */
} ptq_compare_options;
PTQ_API_VOID void ptq_compare_options_init(ptq_compare_options *o);
/* Tensor by tensor on the same inputs; with data also accuracy, speed and size side by side.
 * Result: tensors [{name, max_abs, mean_abs, cosine, sqnr_db}] of those both models name, models
 * [{path, precision, map50_95, map50, fidelity, latency_ms, mib}]. fidelity is mAP against A's
 * detections; without labels there is no mAP. PTQ_USAGE: no tensor in common, or different fixed
 * input sizes. */
PTQ_API ptq_status ptq_compare(ptq_model *a, ptq_model *b, const ptq_compare_options *o,
                               const ptq_env *env, ptq_result **out, ptq_error *err);
/* What two runs of ptq_eval(), ptq_quantize() or ptq_compare() measured, side by side, from files
 * that hold their JSON. PTQ_DATA when they were not measured alike: the field that differs is
 * named. */
PTQ_API ptq_status ptq_compare_results(const char *a, const char *b, const ptq_env *env,
                                       ptq_result **out, ptq_error *err);

/* A page (one HTML file that needs nothing else) from any result that was saved as JSON. Result:
 * output. PTQ_DATA: the file holds no result. */
PTQ_API ptq_status ptq_report(const char *json, const char *output, bool force, const ptq_env *env,
                              ptq_result **out, ptq_error *err);

#ifdef __cplusplus
}
#endif
#endif
