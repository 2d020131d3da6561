/* SPDX-License-Identifier: Apache-2.0 */
/* shared_options.h — option tables that several commands have, and the steps that several take. */
#ifndef CLI_SHARED_OPTIONS_H
#define CLI_SHARED_OPTIONS_H

#include "command.h"

extern const option_group GENERAL_GROUP; /* general_args: first in every argument struct */
extern const option MODEL_OPTIONS[];     /* in ptq_load_options */
extern const option DATA_OPTIONS[];      /* in ptq_data_options, as those below */
extern const option BATCH_OPTIONS[];
extern const option SPLIT_OPTIONS[];
extern const option LIMIT_OPTIONS[];
extern const option PROTOCOL_OPTIONS[];
extern const option METHOD_OPTIONS[]; /* in ptq_quant_options, as those below */
extern const option RANGE_OPTIONS[];
extern const option PLACE_OPTIONS[], SAVE_OPTIONS[];
extern const option FORM_OPTIONS[]; /* in ptq_form_options */

extern const char *const PRECISIONS[]; /* in the order of ptq_precision */

#define OPTIONS_END                                                                                \
    {                                                                                              \
        0                                                                                          \
    }

/* PTQ_IO when something is there and may not be replaced, or its folder is missing; PTQ_USAGE when
 * `path` is the operand `input` itself. NULL paths pass. */
ptq_status cli_check_output(const char *path, const char *input, bool force, ptq_error *err);
/* Of an ONNX file: its external data, too, if it is to have some. */
ptq_status cli_check_model_output(const char *path, const char *input, bool force,
                                  const ptq_form_options *form, ptq_error *err);

/* `input`'s file name without its suffix, and `suffix`: "a/yolov7.pt" gives "yolov7.int8.onnx". */
void cli_default_output(const char *input, const char *suffix, char *out, size_t size);

/* Loads an operand's model; one that has to be fixed to a size, to this one. */
ptq_status cli_load(const cli *c, int operand, const ptq_load_options *load, int image_size,
                    ptq_model **out, ptq_error *err);

/* PTQ_USAGE unless `value` was given: "'WHO' needs WHAT". */
ptq_status cli_require(const char *who, const char *what, const char *value, ptq_error *err);

#endif
