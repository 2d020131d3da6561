/* SPDX-License-Identifier: Apache-2.0 */
/* eval/pictures.h — how the pictures for a network are made. */
#ifndef EVAL_PICTURES_H
#define EVAL_PICTURES_H

#include "data/picture.h"
#include "graph/detector_form.h"

static inline picture_form pictures_of(const graph *g)
{
    const detector_form *d = graph_detector(g);
    return (picture_form){d->is_bgr, d->is_bytes, d->at_corner};
}

#endif
