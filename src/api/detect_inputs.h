/* SPDX-License-Identifier: Apache-2.0 */
/* api/detect_inputs.h — which pictures the words of a command line mean, and where each goes. */
#ifndef API_DETECT_INPUTS_H
#define API_DETECT_INPUTS_H

#include "data/image_list.h"

/* Each word is a picture, a folder with all below it, a list file (.txt) or a pattern of the
 * shell. PTQ_IO when a word names nothing. Clear *out with image_list_clear(). */
PTQ_CHECKED ptq_status detect_inputs_find(const char *const *words, image_list *out,
                                          ptq_error *err);

/* *out[i] is where picture i is written: its own name in `dir`, a number added when an earlier one
 * took the name; .jpg and .png keep their kind. PTQ_IO when that exists and `force` is off, and
 * always when it is the picture itself. Free with detect_outputs_free(). */
PTQ_CHECKED ptq_status detect_outputs(const image_list *pictures, const char *dir, bool force,
                                      char ***out, ptq_error *err);
void detect_outputs_free(char **outputs, int n); /* NULL allowed */

#endif
