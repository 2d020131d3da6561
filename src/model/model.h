/* SPDX-License-Identifier: Apache-2.0 */
/* model/model.h — a model file read: its graph and what the file says about itself.
 *
 * Two doors in (.pt, .onnx; told apart by content), one out (.onnx).
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/env.h"
#include "base/error.h"
#include "graph/graph.h"

typedef enum model_format { MODEL_PT, MODEL_ONNX } model_format;

/* What a file gives: boxes and scores, the maps of each level before the decode, or detections. */
typedef enum head_form { HEAD_DECODED, HEAD_RAW, HEAD_NMS } head_form;

/* Settings of the non-maximum suppression at the end of a file with HEAD_NMS. */
typedef struct nms_form {
    float conf; /* lowest score, exclusive */
    float iou;  /* more overlap than this suppresses */
    int max_det;
} nms_form;

typedef struct model {
    model_format format;
    char *path;
    char sha256[65];
    size_t file_bytes;
    graph *graph;       /* as in the file: Conv and BN apart, RepConv in branches, Q/DQ kept */
    int n_classes;      /* 0: not known */
    char **class_names; /* n_classes, or NULL */
    int stride;         /* largest stride of the head; 32 when not known */
    bool is_static;     /* an ONNX file with a fixed input size */
    bool has_qdq;
    bool is_half; /* an ONNX file with float16 constants */
    bool has_nms; /* an ONNX file of ours that ends in a suppression: the graph ends before it */
    nms_form nms;
    int opset;        /* of an ONNX file, else 0 */
    int64_t n_layers; /* modules incl. containers, as model_info prints; nodes for ONNX */
    int64_t n_layers_fused;
    int64_t n_parameters;
    int64_t n_parameters_fused; /* after the official fuse(); implicit parameters stay counted */
    char **metadata; /* ONNX metadata_props: key, value, key, value ... NULL-terminated, or NULL */
} model;

typedef struct model_options {
    const char *weights; /* "ema", "model" or NULL: ema when it is there */
    const char *cfg;     /* build the graph from this yaml, load weights by name; or NULL */
    size_t max_bytes;    /* 0: 4 GiB; larger files and tensors are refused with PTQ_LIMIT */
    size_t max_depth;    /* 0: 1000 */
} model_options;

PTQ_CHECKED ptq_status model_load(const char *path, const model_options *options,
                                  const ptq_env *env, model **out, ptq_error *err);
void model_destroy(model *m); /* NULL allowed */

/* Kind, size and checksum of a model file, and nothing of what is in it: graph stays NULL. For
 * those who read the file in their own way. */
PTQ_CHECKED ptq_status model_identify(const char *path, const model_options *options,
                                      const ptq_env *env, model **out, ptq_error *err);

/* The two doors behind model_load(); `m` has path, sha256 and file_bytes already. */
PTQ_CHECKED ptq_status pt_import(const char *path, const model_options *options, const ptq_env *env,
                                 model *m, ptq_error *err);
PTQ_CHECKED ptq_status onnx_import(const char *path, const model_options *options,
                                   const ptq_env *env, model *m, ptq_error *err);

typedef struct onnx_export_options {
    int opset;          /* 13 ... 21 */
    int64_t image_size; /* written as static input [batch,3,size,size]; 0: the graph's own
                           shapes, which must be known; `batch` does not matter then */
    int64_t batch;      /* -1: dynamic, dim_param "batch" */
    bool half;          /* float16 up to the tail, which decodes in float32 */
    head_form head;
    nms_form nms;                /* HEAD_NMS */
    const char *const *metadata; /* key, value, ... NULL-terminated; or NULL */
    bool external_data;          /* weights in "<path>.data"; always where the file would pass
                                    2 GiB */
} onnx_export_options;

/* Writes a cleaned graph (with or without Q/DQ). Silu, YoloDecode, SpaceToDepth ... are written as
 * the official export writes them; inputs, outputs, layers and constants keep their names. Equal
 * graphs and options give equal bytes. Temp file + rename. *n_nodes may be NULL. */
PTQ_CHECKED ptq_status onnx_export(const graph *g, const char *path,
                                   const onnx_export_options *options, int *n_nodes,
                                   ptq_error *err);

#endif
