/* SPDX-License-Identifier: Apache-2.0 */
/* quant/quant_yaml.h — what the readers of quant.yaml share: its errors are usage errors, with the
 * line and the nearest known word. */
#ifndef QUANT_QUANT_YAML_H
#define QUANT_QUANT_YAML_H

#include "formats/yaml_doc.h"

/* Sets "'NAME' line N: <formatted>" and returns PTQ_USAGE. */
PTQ_CHECKED ptq_status quant_yaml_error(ptq_error *err, const yaml_doc *doc, const yaml_value *v,
                                        const char *format, ...) PTQ_PRINTF(4, 5);

/* `v` must be a mapping with no key outside `known` (NULL-terminated); `what` names it. */
PTQ_CHECKED ptq_status quant_yaml_check_keys(const yaml_doc *doc, const yaml_value *v,
                                             const char *what, const char *const *known,
                                             ptq_error *err);

/* "'text' is not known; did you mean 'nearest'?" for a key or a value. */
PTQ_CHECKED ptq_status quant_yaml_unknown(ptq_error *err, const yaml_doc *doc, const yaml_value *v,
                                          const char *text, const char *const *known);

#endif
