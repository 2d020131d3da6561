/* SPDX-License-Identifier: Apache-2.0 */
/* api/reproduce.h — the command line that does the same again. */
#ifndef API_REPRODUCE_H
#define API_REPRODUCE_H

#include "ptq/ptq.h"

/* Only what differs from the defaults, and the data. NULL when out of memory; mem_free() it. */
char *reproduce_quantize(const char *model, const ptq_quantize_options *o);

#endif
