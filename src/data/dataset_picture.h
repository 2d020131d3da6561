/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_picture.h — one picture of a data set, from its file or from the caller's memory,
 * letterboxed.
 */
#ifndef DATA_DATASET_PICTURE_H
#define DATA_DATASET_PICTURE_H

#include <pthread.h>

#include "data/dataset.h"
#include "data/picture.h"

/* As picture_load() for the item place->item. A caller's pictures are asked for one at a time: all
 * that read `d` at once share the lock. */
PTQ_CHECKED ptq_status dataset_picture(const dataset *d, pthread_mutex_t *one_at_a_time,
                                       const picture_target *target, unsigned char *planes,
                                       placement *place, ptq_error *err);

#endif
