/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/ptq.h — post-training quantization of object detectors, as a library.
 *
 * The whole job in one call each:
 *
 *     ptq_error err;
 *     ptq_model *model;
 *     if (ptq_model_load("yolov7.pt", NULL, NULL, &model, &err))
 *         return fprintf(stderr, "%s\n", err.message), 1;
 *
 *     ptq_quantize_options q;
 *     ptq_quantize_options_init(&q);
 *     q.data.yaml = "coco.yaml";
 *     q.output = "yolov7.int8.onnx";
 *     ptq_result *r;
 *     if (ptq_quantize(model, &q, NULL, &r, &err) == PTQ_OK) {
 *         double map;
 *         ptq_result_number(r, "int8.map50_95", &map);
 *         puts(ptq_result_text(r));
 *         ptq_result_destroy(r);
 *     }
 *     ptq_model_destroy(model);
 *
 * Every command answers with a ptq_result: one JSON document (the single truth), of which the text
 * table is a view. Options are plain structs: call their _init function, then set what differs.
 * Strings in options are borrowed for the call. Nothing is printed and nothing is global; several
 * models may be used from several threads, one call at a time per model.
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

/* ---------------------------------------------------------------- models */

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
 * `options` and `env` may be NULL. On success *out must be given to ptq_model_destroy(). */
PTQ_API ptq_status ptq_model_load(const char *path, const ptq_load_options *options,
                                  const ptq_env *env, ptq_model **out, ptq_error *err);
PTQ_API_VOID void ptq_model_destroy(ptq_model *model); /* NULL allowed */
/* The name of a class, as the file says it; NULL: it does not. Owned by the model. */
PTQ_API const char *ptq_model_class(const ptq_model *model, int cls);

/* ---------------------------------------------------------------- results */

typedef struct ptq_result ptq_result;

PTQ_API_VOID void ptq_result_destroy(ptq_result *r); /* NULL allowed */
/* The whole document: {"schema":1,"command":...,"model":{},"config":{},"environment":{},
 * "result":{},"warnings":[]}. Owned by the result. */
PTQ_API const char *ptq_result_json(const ptq_result *r);
/* The table a person reads. Owned by the result. */
PTQ_API const char *ptq_result_text(const ptq_result *r);
/* A number inside "result" by dotted path ("coco.ap", "layers.0.score"). false: not there. */
PTQ_API bool ptq_result_number(const ptq_result *r, const char *path, double *value);
/* A text inside "result" ("quantizers.0.layer"). NULL: not there. Owned by the result. */
PTQ_API const char *ptq_result_string(const ptq_result *r, const char *path);
/* PTQ_OK, or PTQ_NO when the run ended and the answer is no (a gate not met, models differ). */
PTQ_API ptq_status ptq_result_verdict(const ptq_result *r);

/* ---------------------------------------------------------------- shared options */

typedef struct ptq_data_options {
    const char *yaml;        /* data yaml: train, val, nc, names, annotations; or a folder of
                                pictures, of which every fourth is the val split */
    const char *split;       /* "val"; calibration: "train" */
    const char *root;        /* replaces a foreign prefix of the lists; or NULL */
    const char *annotations; /* COCO instances file; overrides the yaml's; or NULL */
    int image_size;          /* 640 */
    int batch;               /* 4 */
    int limit;               /* first N images; 0: all */
    int stride;              /* 32 */
    double pad;              /* 0.5 */
    bool rect;               /* rectangular batches as YOLOv7's test.py; ignored by static models */
    bool single_class;
    bool unlabelled; /* labels are not needed: nothing is compared with them */
} ptq_data_options;

/* How ranges are found and where quantizers go. */
typedef struct ptq_quant_options {
    ptq_calib calib;                  /* mse */
    double percentile;                /* 99.99 */
    int calib_images;                 /* 0: 300 (260 with compat_pytorch), all when fewer */
    int calib_batch;                  /* images at a time; 0: 4; with compat_pytorch 10 while they
                                         have 2 million pixels at most. Matters only there */
    bool shuffle;                     /* draw the calibration images by env->seed */
    const ptq_image_source *images;   /* calibration images from memory, instead of the yaml's; or
                                         NULL */
    const char *calib_from;           /* ranges from an earlier `ptq calibrate`; or NULL */
    const char *config;               /* quant.yaml; or NULL */
    const ptq_quant_config *settings; /* the same as an object, instead of `config`; or NULL */
    const char *save_config;          /* writes what is inserted as quant.yaml; or NULL */
    const char *const *exclude; /* regular expressions on layer names, NULL-terminated; or NULL */
    bool compat_pytorch;        /* follow pytorch-quantization's collecting and search rules */
    int share_scales;           /* 1, 0, or -1: as the target likes */
    int residual;               /* quantize the residual input of an Add: 1, 0, -1 */
    bool quantize_head;         /* the output convolutions too */
    bool float_weights;         /* float weights behind Q and DQ: the float graph can be restored */
} ptq_quant_options;

/* ---------------------------------------------------------------- commands */

/* `ptq list`: every image below `dir`, sorted, one path per line into `output`. */
PTQ_API ptq_status ptq_list(const char *dir, const char *output, bool force, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

typedef struct ptq_info_options {
    bool quant;                   /* the quantizers that insertion puts (or that the file has) */
    bool nodes;                   /* one line per node */
    int image_size;               /* 640 */
    const char *target;           /* of the insertion: "tensorrt10"; NULL: no target's wishes */
    ptq_quant_options quantizers; /* how it is made; nothing is calibrated */
    bool force;                   /* overwrite quantizers.save_config */
} ptq_info_options;
PTQ_API_VOID void ptq_info_options_init(ptq_info_options *o);
PTQ_API ptq_status ptq_info(ptq_model *m, const ptq_info_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

/* What this machine offers: instruction set, kernels per family. */
PTQ_API ptq_status ptq_info_machine(const ptq_env *env, ptq_result **out, ptq_error *err);

typedef struct ptq_run_options {
    const char *input;       /* .npy float32 NCHW, or a JPEG/PNG (letterboxed) */
    int image_size;          /* 640; for pictures */
    const char *out_dir;     /* one .npy per output and tap; or NULL */
    const char *const *taps; /* inner tensors to write, NULL-terminated; or NULL */
    ptq_precision precision;
} ptq_run_options;
PTQ_API_VOID void ptq_run_options_init(ptq_run_options *o);
PTQ_API ptq_status ptq_run(ptq_model *m, const ptq_run_options *o, const ptq_env *env,
                           ptq_result **out, ptq_error *err);

typedef struct ptq_detect_options {
    const char *const *images; /* pictures, folders, patterns ("*.jpg") and lists (.txt),
                                  NULL-terminated */
    const char *out_dir;       /* a copy of every picture with its boxes; or NULL */
    int image_size;            /* 640 */
    ptq_precision precision;
    double conf; /* 0.25 */
    double iou;  /* 0.45 */
    bool force;  /* overwrite pictures in out_dir */
} ptq_detect_options;
PTQ_API_VOID void ptq_detect_options_init(ptq_detect_options *o);
/* Boxes in the pixels of each picture, as YOLOv7's detect.py finds them on a square input. */
PTQ_API ptq_status ptq_detect(ptq_model *m, const ptq_detect_options *o, const ptq_env *env,
                              ptq_result **out, ptq_error *err);

typedef struct ptq_eval_options {
    ptq_data_options data;
    ptq_precision precision;
    double conf; /* 0.001 */
    double iou;  /* 0.65 */
    bool per_class;
    bool coco;                   /* pycocotools' twelve numbers too */
    const char *save_detections; /* COCO results file; or NULL */
    const char *save_inputs;     /* folder: the letterboxed tensors with an index; or NULL */
    const char *from_outputs;    /* folder: score outputs another runtime made of them; or NULL */
    bool force;                  /* overwrite outputs */
} ptq_eval_options;
PTQ_API_VOID void ptq_eval_options_init(ptq_eval_options *o);
PTQ_API ptq_status ptq_eval(ptq_model *m, const ptq_eval_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);
/* Scores a COCO results file against an instances file; no model. */
PTQ_API ptq_status ptq_eval_detections(const char *detections, const char *annotations,
                                       const ptq_env *env, ptq_result **out, ptq_error *err);

typedef struct ptq_calibrate_options {
    ptq_data_options data;
    ptq_quant_options quant;
    const char *target; /* "tensorrt10" (default); with "onnxruntime" the ranges serve all targets,
                           for twice the work */
    const char *output; /* the ranges, as JSON; or NULL */
    const char *trt_cache; /* also a calibration cache for TensorRT's implicit INT8, with ranges by
                              quant.calib; or NULL */
    const char *trt_version; /* of the TensorRT that will read it: "10.3.0" */
    bool force;
} ptq_calibrate_options;
PTQ_API_VOID void ptq_calibrate_options_init(ptq_calibrate_options *o);
PTQ_API ptq_status ptq_calibrate(ptq_model *m, const ptq_calibrate_options *o, const ptq_env *env,
                                 ptq_result **out, ptq_error *err);

/* What a written file gives. */
typedef struct ptq_form_options {
    int batch;          /* 1; -1: dynamic */
    const char *head;   /* "decoded": boxes and scores; "raw": the maps of each level; "nms":
                           detections (image, x1, y1, x2, y2, class, score) */
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
    bool evaluate;          /* measure FP32, 16-bit and INT8 at the end */
    bool simulate;          /* no file: the quantizers are measured in float, whatever they say */
    bool force;
} ptq_quantize_options;
PTQ_API_VOID void ptq_quantize_options_init(ptq_quantize_options *o);
PTQ_API ptq_status ptq_quantize(ptq_model *m, const ptq_quantize_options *o, const ptq_env *env,
                                ptq_result **out, ptq_error *err);

/* The quantizers of a model in memory, as pytorch-quantization works: they are put into the model,
 * whose forward then simulates them (ptq_eval, ptq_run, ptq_compare), may be switched off and on,
 * and be taken away again. */
typedef struct ptq_insert_options {
    ptq_data_options data; /* calibration images: split "train" */
    ptq_quant_options quant;
    const char *target; /* whose wishes count for sharing; "tensorrt10" */
} ptq_insert_options;
PTQ_API_VOID void ptq_insert_options_init(ptq_insert_options *o);
PTQ_API ptq_status ptq_insert_quantizers(ptq_model *m, const ptq_insert_options *o,
                                         const ptq_env *env, ptq_result **out, ptq_error *err);
/* Back to the float model, exactly. Of a model that was loaded with quantizers this needs float
 * weights in the file: PTQ_UNSUPPORTED when they are codes. */
PTQ_API ptq_status ptq_remove_quantizers(ptq_model *m, ptq_error *err);
/* Switches those on or off that were inserted: PTQ_INPUT, PTQ_WEIGHT or PTQ_INPUT + i of some
 * layers. *n, which may be NULL, is their number; PTQ_USAGE when there are none. */
PTQ_API ptq_status ptq_enable_quantizers(ptq_model *m, const ptq_layers *which, ptq_role role,
                                         bool enabled, int *n, ptq_error *err);

/* Whose quantizer it is; the names belong to the model. */
typedef struct ptq_quantizer_place {
    const char *layer;
    const char *op;
    const char *tensor; /* what it quantizes */
    ptq_role role;
} ptq_quantizer_place;
PTQ_API_VOID int ptq_n_quantizers(const ptq_model *m);
/* A copy of quantizer `i`, to read and to try. `place` may be NULL. */
PTQ_API ptq_status ptq_get_quantizer(const ptq_model *m, int i, ptq_quantizer_place *place,
                                     ptq_quantizer **out, ptq_error *err);

typedef struct ptq_sensitivity_options {
    ptq_data_options data;
    ptq_quant_options quant;
    const char *mode;        /* "only": one layer quantized; "all-but": one layer left float */
    const char *metric;      /* "map", "fidelity", "sqnr" */
    const char *granularity; /* "conv", "block" */
    int top;                 /* 10 */
    const char *journal;     /* resume file; or NULL */
    bool exhaustive;         /* evaluate every layer on every image */
    double confidence;       /* 0.95 */
    size_t memory_bytes;     /* for the tensors of an image that networks share; 0: 2 GiB */
} ptq_sensitivity_options;
PTQ_API_VOID void ptq_sensitivity_options_init(ptq_sensitivity_options *o);
PTQ_API ptq_status ptq_sensitivity(ptq_model *m, const ptq_sensitivity_options *o,
                                   const ptq_env *env, ptq_result **out, ptq_error *err);

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
PTQ_API ptq_status ptq_export(ptq_model *m, const ptq_export_options *o, const ptq_env *env,
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
PTQ_API ptq_status ptq_bench(ptq_model *m, const ptq_bench_options *o, const ptq_env *env,
                             ptq_result **out, ptq_error *err);

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
/* Tensor by tensor on the same inputs; with data also accuracy, speed and size side by side. */
PTQ_API ptq_status ptq_compare(ptq_model *a, ptq_model *b, const ptq_compare_options *o,
                               const ptq_env *env, ptq_result **out, ptq_error *err);
/* What two runs of ptq_eval(), ptq_quantize() or ptq_compare() measured, side by side, from files
 * that hold their JSON. PTQ_DATA when they were not measured alike: the field that differs is
 * named. */
PTQ_API ptq_status ptq_compare_results(const char *a, const char *b, const ptq_env *env,
                                       ptq_result **out, ptq_error *err);

typedef struct ptq_lint_options {
    const char *target; /* "tensorrt10" (default), "tensorrt11", "onnxruntime" */
    size_t max_bytes;   /* refuse larger files and tensors; 0: 4 GiB */
} ptq_lint_options;
PTQ_API_VOID void ptq_lint_options_init(ptq_lint_options *o);
/* What the target will refuse or run slower, and in which precision each layer will run. Takes the
 * path of an ONNX file and not a model: also files that ptq_model_load() refuses can be judged. The
 * target is not run; this is a forecast. The verdict is PTQ_NO when a finding is an error. */
PTQ_API ptq_status ptq_lint(const char *path, const ptq_lint_options *o, const ptq_env *env,
                            ptq_result **out, ptq_error *err);

/* A page (one HTML file that needs nothing else) from any result that was saved as JSON. */
PTQ_API ptq_status ptq_report(const char *json, const char *output, bool force, const ptq_env *env,
                              ptq_result **out, ptq_error *err);

#ifdef __cplusplus
}
#endif
#endif
