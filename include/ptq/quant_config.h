/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/quant_config.h — quant.yaml as an object: inserting by hand.
 *
 *     ptq_quant_config *c;
 *     ptq_status st = ptq_quant_config_create(NULL, &c, &err);
 *     if (st != PTQ_OK)
 *         return st;
 *     ptq_quant_desc d;
 *     ptq_quant_desc_init(&d);
 *     d.n_amax = 1, d.amax = (float[]){3.2f};
 *     ptq_layers stem = {.path = "model.0"};
 *     st = ptq_quant_config_layer(c, &stem, PTQ_INPUT, &d, &err);
 *     options.quant.settings = c;
 *
 * What a descriptor says holds for every field of it. The meaning of the calls is that of the
 * file's sections (docs/quantization.md).
 */
#ifndef PTQ_QUANT_CONFIG_H
#define PTQ_QUANT_CONFIG_H

#include "ptq/quantizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ptq_quant_config ptq_quant_config;

/* Which quantizer of a layer; PTQ_INPUT + i is that of input i, PTQ_OUTPUT one on what leaves the
 * network. */
typedef int ptq_role;
enum { PTQ_INPUT = 0, PTQ_WEIGHT = -1, PTQ_OUTPUT = -2 };

/* Which layers: every condition that is not NULL must hold. */
typedef struct ptq_layers {
    const char *match; /* regular expression, from the start of the name */
    const char *layer; /* the whole name */
    const char *path;  /* the name of the layer or of a module above it */
    const char *type;  /* "Conv2d", "Linear", "Add" ... */
} ptq_layers;

/* `path` NULL: settings that change nothing; else those of a quant.yaml. */
PTQ_API ptq_status ptq_quant_config_create(const char *path, ptq_quant_config **out,
                                           ptq_error *err);
PTQ_API_VOID void ptq_quant_config_destroy(ptq_quant_config *c); /* NULL allowed */

/* The default of a module type, or of all types (`type` NULL), as QuantMixin's
 * set_default_quant_desc_input() and set_default_quant_desc_weight(). */
PTQ_API ptq_status ptq_quant_config_default(ptq_quant_config *c, const char *type, ptq_role role,
                                            const ptq_quant_desc *d, ptq_error *err);
/* The quantizer that some layers have anyway: PTQ_INPUT or PTQ_WEIGHT. Of several rules for a layer
 * the one given first holds. */
PTQ_API ptq_status ptq_quant_config_layer(ptq_quant_config *c, const ptq_layers *which,
                                          ptq_role role, const ptq_quant_desc *d, ptq_error *err);
/* A quantizer on input `index` of some layers, whatever they are. */
PTQ_API ptq_status ptq_quant_config_add_input(ptq_quant_config *c, const ptq_layers *which,
                                              int index, const ptq_quant_desc *d, ptq_error *err);
/* Layers that stay float, or with `disabled` false are quantized though they would stay float. */
PTQ_API ptq_status ptq_quant_config_disable(ptq_quant_config *c, const ptq_layers *which,
                                            bool disabled, ptq_error *err);
/* A quantizer wherever tensors whose names match are read, or leave the network. */
PTQ_API ptq_status ptq_quant_config_tensor(ptq_quant_config *c, const char *match,
                                           const ptq_quant_desc *d, ptq_error *err);
/* float_module_list and custom_quant_modules. */
PTQ_API ptq_status ptq_quant_config_float_module(ptq_quant_config *c, const char *type,
                                                 ptq_error *err);
PTQ_API ptq_status ptq_quant_config_custom_module(ptq_quant_config *c, const char *type,
                                                  const int *inputs, int n_inputs, ptq_error *err);
/* share_scales: "concat", "maxpool", "resize", "move", "add". */
PTQ_API ptq_status ptq_quant_config_share(ptq_quant_config *c, const char *kind, bool on,
                                          ptq_error *err);

#ifdef __cplusplus
}
#endif
#endif
