/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_modules.h — a pickled Model object into a network. Spec: checkpoint.md §6, §7. */
#ifndef MODEL_PT_MODULES_H
#define MODEL_PT_MODULES_H

#include "model/module.h"
#include "model/pt_file.h"

/* Layers, attributes, class names and strides. PTQ_UNSUPPORTED names every type that is not known,
 * with the path where it stands. `model` is an object; a DataParallel wrapper is opened. */
PTQ_CHECKED ptq_status pt_read_network(pt_file *f, const pickle_value *model, network **out,
                                       ptq_error *err);

#endif
