/* SPDX-License-Identifier: Apache-2.0 */
/* api/resume.h — a quantization that was stopped and goes on: what it found after its calibration
 * is kept in `.OUTPUT.journal` (base/tape.h), until the command has come to its end.
 */
#ifndef API_RESUME_H
#define API_RESUME_H

#include "api/quant_setup.h"
#include "base/tape.h"

/* Tries the places of what will be written. An existing file may be replaced with --force, or when
 * the run that is gone on with has written it. *out: NULL when nothing is kept. */
PTQ_CHECKED ptq_status resume_open(const ptq_quantize_options *o, const ptq_env *env, tape **out,
                                   ptq_error *err);
/* From here on the results follow from the model, the options and this plan. What was written by
 * another run is not replaced after all. */
PTQ_CHECKED ptq_status resume_bind(tape *t, const ptq_model *m, const ptq_quantize_options *o,
                                   const qplan *plan, const ptq_env *env, ptq_error *err);
/* ... and from these pictures too. */
void resume_bind_images(tape *t, const dataset *d);
/* The file was written by this run. */
void resume_note_file(tape *t, const char *what, const char *path);
/* `status` is how the run ended. */
void resume_close(tape *t, ptq_status status, const ptq_env *env);

#define RESUME_OUTPUT "output"
#define RESUME_CONFIG "config"

#endif
