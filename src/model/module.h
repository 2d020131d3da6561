/* SPDX-License-Identifier: Apache-2.0 */
/* model/module.h — a network as PyTorch modules: the form between a checkpoint or a config and the
 * graph.
 *
 * A tree of typed modules with the numbers that decide what they compute, but no weights: those are
 * found by path ("model.51.cv1.conv" + ".weight"). pt_modules.h makes the tree from pickled
 * objects, cfg_modules.h from a yaml; module_graph.h makes the graph from it. Spec: model.md §3.
 */
#ifndef MODEL_MODULE_H
#define MODEL_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "graph/op.h"

/* What a module does. Several types share a kind when they differ only in their parts. */
typedef enum module_kind {
    MODULE_UNKNOWN,
    MODULE_CONV2D,
    MODULE_BATCH_NORM,
    MODULE_ACTIVATION,
    MODULE_IDENTITY,
    MODULE_MAX_POOL,
    MODULE_UPSAMPLE,
    MODULE_SEQUENTIAL,
    MODULE_LIST,      /* holds parts, computes nothing */
    MODULE_IMPLICIT,  /* ImplicitA (added) or ImplicitM (multiplied) */
    MODULE_QUANTIZER, /* pytorch-quantization's, ignored */
    MODULE_CONV,      /* conv, bn, act */
    MODULE_REP_CONV,
    MODULE_CONCAT,
    MODULE_CHUNCAT,
    MODULE_FOLDCUT,
    MODULE_SHORTCUT,
    MODULE_POOL, /* MP, SP: one max pool `m` */
    MODULE_REORG,
    MODULE_FOCUS,
    MODULE_SPP,
    MODULE_SPPF,
    MODULE_SPPCSPC,
    MODULE_DOWNC,
    MODULE_STEM,
    MODULE_BOTTLENECK,     /* cv1, cv2 and perhaps a shortcut */
    MODULE_RES,            /* cv1, cv2, cv3 and perhaps a shortcut */
    MODULE_CSP_A,          /* cv3(cat(m(cv1 x), cv2 x)); C3 too */
    MODULE_CSP_B,          /* y = cv1 x; cv3(cat(m(y), cv2 y)) */
    MODULE_CSP_C,          /* cv4(cat(cv3(m(cv1 x)), cv2 x)) */
    MODULE_BOTTLENECK_CSP, /* YOLOv5 v4: cv4(act(bn(cat(cv3(m(cv1 x)), cv2 x)))) */
    MODULE_HEAD            /* Detect, IDetect, IAuxDetect */
} module_kind;

enum { MODULE_MAX_LEVELS = 8, MODULE_MAX_ANCHORS = 16 };

typedef struct module_conv2d {
    conv_attr attr;
    int in;
    int out;
    bool has_bias;
} module_conv2d;

typedef struct module_norm {
    int channels;
    float epsilon;
} module_norm;

typedef struct module_head {
    int n_levels; /* of the lead head; an IAuxDetect has as many auxiliary inputs */
    int n_anchors;
    int n_classes;
    float stride[MODULE_MAX_LEVELS]; /* 0: not known */
    /* Width and height in pixels, when the weights bring no anchors; n_anchors*2 per level. */
    float anchors[MODULE_MAX_LEVELS][2 * MODULE_MAX_ANCHORS];
    bool has_anchors;
    bool is_fused; /* its implicit parameters are in the convolutions already */
} module_head;

typedef struct module module;
struct module {
    module_kind kind;
    const char *type;     /* "Conv", "nn.Conv2d" */
    const char *path;     /* "model.51.cv1" */
    const char *name;     /* the path's last part */
    const void *identity; /* modules that are one object in the file share it */
    module **parts;
    int n_parts;
    int *from; /* a layer of the network: indices of its input layers, -1 is the image */
    int n_from;
    union {
        module_conv2d conv;
        module_norm norm;
        activation act;
        pool_attr pool;
        resize_attr resize;
        module_head *head; /* never NULL for its kind */
        int axis;          /* Concat, Chuncat, Foldcut */
        int channels;      /* implicit */
        bool add;          /* bottlenecks: the shortcut is there */
    } as;
};

typedef struct network {
    arena *arena;   /* everything here lives in it */
    module *root;   /* the Model */
    module *layers; /* its part "model": the layers are its parts, the last is the head */
    int in_channels;
    const char **class_names; /* n_classes of the head, or NULL */
} network;

PTQ_CHECKED ptq_status network_create(network **out, ptq_error *err);
void network_destroy(network *n); /* NULL allowed */

/* Kind of a type as it is written in a config ("Conv", "nn.Upsample"). */
module_kind module_kind_of(const char *type);
/* The activation of a type ("nn.SiLU"); false when it is none. */
bool module_activation_of(const char *type, activation *act);

/* A new module, appended to the parts of `parent` (NULL: a root). NULL when out of memory. `type`
 * and `name` are copied. */
module *module_add(arena *a, module *parent, const char *type, const char *name);
/* The part with this name; NULL: absent. */
module *module_part(const module *m, const char *name);

/* A parameter or persistent buffer that a module must have. */
typedef struct module_param {
    const char *name;
    int rank;
    int64_t dims[4];
    bool is_buffer; /* does not count as a parameter */
} module_param;

enum { MODULE_MAX_PARAMS = 4 };

/* The module's own, without those of its parts; returns their number. A head's anchors and the
 * counter of a batch normalization are not among them: nothing depends on them. */
int module_params(const module *m, module_param params[MODULE_MAX_PARAMS]);

/* Sizes as the official model_info prints them: every module object once, containers too. Fused:
 * as after the official Model.fuse(). */
typedef struct network_size {
    int64_t n_modules;
    int64_t n_modules_fused;
    int64_t n_parameters;
    int64_t n_parameters_fused;
} network_size;

PTQ_CHECKED ptq_status network_measure(const network *n, network_size *out, ptq_error *err);

#endif
