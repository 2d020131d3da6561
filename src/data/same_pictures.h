/* SPDX-License-Identifier: Apache-2.0 */
/* data/same_pictures.h — whether two sets of pictures overlap, told by content and not by name. */
#ifndef DATA_SAME_PICTURES_H
#define DATA_SAME_PICTURES_H

#include "data/dataset.h"

/* *n: pictures of `b` whose file has the same bytes as one of `a`; *first: the path of one,
 * borrowed from `b`, NULL when there is none. A file that cannot be read is like no other. */
PTQ_CHECKED ptq_status same_pictures(const dataset *a, const dataset *b, int *n, const char **first,
                                     ptq_error *err);

#endif
