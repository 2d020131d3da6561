/* SPDX-License-Identifier: Apache-2.0 */
/* Insert quantizers by hand into a model in memory, measure it, find the layer that hurts most by
 * switching one after the other off, and take everything away again.
 *
 *     quantize_by_hand yolov7.pt coco.yaml SIZE
 */
#include <stdio.h>
#include <stdlib.h>

#include "ptq/ptq.h"

static ptq_error err;

/* mAP of the model as it is now: with quantizers it simulates them. -1: it failed. */
static double map_of(ptq_model *model, const char *yaml, int size)
{
    ptq_eval_options o;
    ptq_eval_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = size;
    o.data.limit = 20;
    o.data.rect = false;
    o.precision = PTQ_PRECISION_FP32;
    ptq_result *r;
    if (ptq_eval(model, &o, NULL, &r, &err) != PTQ_OK)
        return -1;
    double map = -1;
    (void)!ptq_result_number(r, "map50_95", &map);
    ptq_result_destroy(r);
    return map;
}

/* Inputs by a histogram, as everywhere; the weights of convolutions in 6 bits, the stem's input
 * with a range of its own choice, and one layer that stays float. */
static ptq_status make_settings(ptq_quant_config **out)
{
    ptq_quant_config *c;
    ptq_quant_desc weight, fixed;
    ptq_layers stem = {.layer = "model.0.conv"}, stays_float = {.path = "model.1"};
    ptq_status st = ptq_quant_config_create(NULL, &c, &err);
    if (st)
        return st;
    ptq_quant_desc_init(&weight);
    weight.num_bits = 6;
    weight.n_axis = 1; /* axis 0: a range per output channel */
    ptq_quant_desc_init(&fixed);
    fixed.n_amax = 1;
    fixed.amax = (const float[]){1};
    st = ptq_quant_config_default(c, "Conv2d", PTQ_WEIGHT, &weight, &err);
    if (!st)
        st = ptq_quant_config_layer(c, &stem, PTQ_INPUT, &fixed, &err);
    if (!st)
        st = ptq_quant_config_disable(c, &stays_float, true, &err);
    if (st)
        ptq_quant_config_destroy(c);
    else
        *out = c;
    return st;
}

/* The first layers, one at a time without their quantizers. */
static int try_layers(ptq_model *model, const char *yaml, int size)
{
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "model.%d", 2 * i);
        ptq_layers one = {.path = name};
        if (ptq_enable_quantizers(model, &one, PTQ_INPUT, false, NULL, &err) ||
            ptq_enable_quantizers(model, &one, PTQ_WEIGHT, false, NULL, &err))
            return 1;
        printf("without %s: %.4f\n", name, map_of(model, yaml, size));
        if (ptq_enable_quantizers(model, &one, PTQ_INPUT, true, NULL, &err) ||
            ptq_enable_quantizers(model, &one, PTQ_WEIGHT, true, NULL, &err))
            return 1;
    }
    return 0;
}

static int work(ptq_model *model, const ptq_quant_config *settings, const char *yaml, int size)
{
    ptq_insert_options o;
    ptq_insert_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = size;
    o.quant.calib_images = 16;
    o.quant.settings = settings;
    double before = map_of(model, yaml, size);
    ptq_result *r;
    if (ptq_insert_quantizers(model, &o, NULL, &r, &err))
        return 1;
    ptq_result_destroy(r);

    ptq_quantizer *q;
    ptq_quantizer_place place;
    if (ptq_get_quantizer(model, 0, &place, &q, &err))
        return 1;
    printf("%d quantizers; that of '%s' on '%s': %s\n", ptq_n_quantizers(model), place.layer,
           place.tensor, ptq_quantizer_text(q));
    ptq_quantizer_destroy(q);
    printf("float: %.4f, quantized: %.4f\n", before, map_of(model, yaml, size));
    if (try_layers(model, yaml, size) || ptq_remove_quantizers(model, &err))
        return 1;
    double after = map_of(model, yaml, size);
    printf("removed: %.4f\n", after);
    return before < 0 || after != before;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: quantize_by_hand MODEL DATA.yaml SIZE\n"), 2;
    ptq_model *model = NULL;
    ptq_quant_config *settings = NULL;
    int code = 1;
    if (ptq_model_load(argv[1], NULL, NULL, &model, &err) == PTQ_OK &&
        make_settings(&settings) == PTQ_OK)
        code = work(model, settings, argv[2], (int)strtol(argv[3], NULL, 10));
    if (code)
        fprintf(stderr, "%s\n", err.message);
    ptq_quant_config_destroy(settings);
    ptq_model_destroy(model);
    return code;
}
