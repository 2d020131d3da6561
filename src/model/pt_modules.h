/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_modules.h — a pickled Model object into a network. Spec: checkpoint.md §6, §7. */
#ifndef MODEL_PT_MODULES_H
#define MODEL_PT_MODULES_H

#include "model/module.h"
#include "model/pt_file.h"

/* Layers, attributes, class names and strides. PTQ_UNSUPPORTED names every type that is not known,
 * with the path where it stands. */
PTQ_CHECKED ptq_status pt_read_network(pt_file *f, const pickle_value *model, network **out,
                                       ptq_error *err);
/* The attribute `names` of a Model, a list or a dictionary; none when there is not one for each
 * class of the network's head. */
PTQ_CHECKED ptq_status pt_read_class_names(const pickle_value *model, network *net, ptq_error *err);
/* The model inside a DataParallel object, or the object itself. */
const pickle_value *pt_open_wrapper(const pickle_value *model);

#endif
