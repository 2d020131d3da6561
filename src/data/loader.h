/* SPDX-License-Identifier: Apache-2.0 */
/* data/loader.h — decoded, resized, letterboxed batches, prefetched on threads of their own.
 *
 * The worker threads fill a few batches ahead while the caller computes; the batches come in a
 * fixed order with the same bits for any number of threads. A picture that cannot be read fails the
 * call that would have delivered it, after all batches before it. Spec: data.md §3 (rectangular
 * batches), §4 (cv2.resize to the bit), §5 (decoding).
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/dataset.h"
#include "data/picture.h"

/* What `cache` may keep; the batches beyond it are decoded in every epoch. */
#define LOADER_CACHE_BYTES ((size_t)4 << 30)

typedef struct batch {
    int n, height, width;
    float *images;     /* [n,3,height,width] as options.form says; owned by the loader */
    placement *places; /* n */
} batch;

typedef struct loader_options {
    int image_size; /* 640 */
    int batch_size;
    int stride;  /* 32; only for rect */
    double pad;  /* 0.5 for evaluation; only for rect */
    bool rect;   /* YOLOv7 rectangular batches, ordered by aspect ratio */
    int threads; /* decoding threads; 0: 1 */
    picture_form form;
    bool cache; /* keep letterboxed batches in memory (as bytes) for further epochs */
} loader_options;

typedef struct loader loader;

/* The dataset is borrowed and must outlive the loader. With rect=false every batch is
 * image_size x image_size in dataset order. One thread at a time may use a loader. */
PTQ_CHECKED ptq_status loader_open(const dataset *d, const loader_options *options,
                                   const ptq_env *env, loader **out, ptq_error *err);
void loader_close(loader *l); /* at any point; NULL allowed */
int loader_n_batches(const loader *l);
/* Next batch, or *out = NULL at the end (the next call starts again). Valid until the next call.
 * After a failure the same failure comes again until loader_rewind(). */
PTQ_CHECKED ptq_status loader_next(loader *l, const batch **out, ptq_error *err);
PTQ_CHECKED ptq_status loader_rewind(loader *l, ptq_error *err);

#endif
