/* SPDX-License-Identifier: Apache-2.0 */
/* api/run_input.h — a network input from a file: .npy as it is, or a picture letterboxed. */
#ifndef API_RUN_INPUT_H
#define API_RUN_INPUT_H

#include "data/picture.h"
#include "engine/engine.h"

/* float32 [N,3,H,W] from a .npy (told by content), else a picture letterboxed to size x size as
 * the evaluation does. out->data is owned by the caller: mem_free(). */
PTQ_CHECKED ptq_status run_input_load(const char *path, int size, const picture_form *form,
                                      tensor_view *out, ptq_error *err);

#endif
