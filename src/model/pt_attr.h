/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_attr.h — attributes of pickled modules, checked. Messages lack the module's path. */
#ifndef MODEL_PT_ATTR_H
#define MODEL_PT_ATTR_H

#include "formats/pickle.h"
#include "model/module.h"

PTQ_CHECKED ptq_status pt_attr_conv2d(const pickle_value *object, module_conv2d *c, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_norm(const pickle_value *object, module_norm *n, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_activation(const pickle_value *object, const char *type,
                                          activation *act, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_max_pool(const pickle_value *object, pool_attr *p, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_upsample(const pickle_value *object, resize_attr *a, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_axis(const pickle_value *object, int *axis, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_implicit(const pickle_value *object, int *channels, ptq_error *err);
PTQ_CHECKED ptq_status pt_attr_head(const pickle_value *object, module_head *h, ptq_error *err);

#endif
