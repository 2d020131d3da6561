/* SPDX-License-Identifier: Apache-2.0 */
/* quant/sensitivity.h — which layers cost accuracy when they are quantized.
 *
 * One network is made per layer (or block of layers): with that layer alone quantized ("only"), or
 * with everything quantized but that layer ("all-but", NVIDIA's way). Every network runs in float32
 * with simulated quantizers. Scores carry an interval: how the difference to the baseline depends
 * on which images were drawn.
 *
 * Exhaustive: every network on every image, intervals from a paired bootstrap. Else a race
 * (sensitivity_race.h) on as few images as settle who is worst.
 */
#ifndef QUANT_SENSITIVITY_H
#define QUANT_SENSITIVITY_H

#include "eval/evaluator.h"
#include "quant/quant_plan.h"

typedef enum sensitivity_mode { SENSITIVITY_ONLY, SENSITIVITY_ALL_BUT } sensitivity_mode;

typedef enum sensitivity_metric {
    SENSITIVITY_MAP,      /* mAP@.5:.95 against the labels */
    SENSITIVITY_FIDELITY, /* mAP@.5:.95 against the float network's own detections */
    SENSITIVITY_SQNR,     /* of the raw outputs against the float network's, in dB */
} sensitivity_metric;

#define SENSITIVITY_MEMORY ((size_t)2 << 30)

typedef struct sensitivity_options {
    sensitivity_mode mode;
    sensitivity_metric metric;
    bool by_block;       /* "model.24" instead of its convolutions one by one */
    loader_options load; /* cache is set: images are decoded once */
    evaluator_options eval;
    double confidence;       /* of the intervals: 0.95 */
    int n_draws;             /* of the bootstrap: 200 */
    const char *journal;     /* what is measured is kept here, and taken from here; or NULL */
    bool only_reads_journal; /* another rank writes it */
    bool exhaustive;         /* every layer on every image */
    int top;                 /* how many worst layers are looked for */
    size_t memory_bytes;     /* for the tensors of an image that networks share */
} sensitivity_options;

void sensitivity_options_init(sensitivity_options *o);

/* What is ranked; everything is borrowed. */
typedef struct sensitivity_job {
    const graph *g;             /* the cleaned float graph */
    const quant_points *points; /* found with quantize_head, so that the head is ranked too */
    const qplan *plan;          /* built from them */
    const dataset *data;
} sensitivity_job;

typedef struct sensitivity_layer {
    char *name;
    const char *op;   /* static; "block" for several layers */
    double score;     /* the metric */
    double low, high; /* bound the score */
    double drop;      /* harm: larger is worse */
    double sqnr_db;   /* of the raw outputs against the float network's */
    double movement;  /* race: how far scores and boxes moved, per image (output_distance.h) */
    bool is_clear;    /* its interval lies on one side of the cut-off between the worst and the
                         others */
    double n_needed;  /* images until it would; infinite when that cannot be told */
    int evaluations;  /* images it was run on */
} sensitivity_layer;

typedef struct sensitivity {
    sensitivity_metric metric;
    double baseline;           /* the float network ("only"), the quantized one ("all-but") */
    sensitivity_layer *layers; /* worst first */
    int n_layers;
    int n_images;
    double elapsed_ms;
} sensitivity;

/* PTQ_USAGE when the journal belongs to another run. After an interruption the journal holds what
 * was measured. */
PTQ_CHECKED ptq_status sensitivity_rank(const sensitivity_job *job,
                                        const sensitivity_options *options, const ptq_env *env,
                                        sensitivity **out, ptq_error *err);
void sensitivity_destroy(sensitivity *s); /* NULL allowed */

/* {baseline, images, layers[{name, op, score, drop, low, high, sqnr_db, clear, images_needed,
 * evaluations}], top[names], elapsed_ms}. NULL when out of memory. */
json_t *sensitivity_write_json(const sensitivity *s, int top);

#endif
