/* SPDX-License-Identifier: Apache-2.0 */
/* Quantize a model by two methods and keep the better file.
 *
 *     quantize_detector yolov7.pt coco.yaml SIZE best.onnx
 */
#include <stdio.h>
#include <stdlib.h>

#include "ptq/ptq.h"

/* mAP of `model` quantized by `method` into `path`, or -1. */
static double quantize(ptq_model *model, ptq_calib method, const char *yaml, int size,
                       const char *path)
{
    ptq_quantize_options options;
    ptq_quantize_options_init(&options);
    options.data.yaml = yaml;
    options.data.image_size = size;
    options.quant.calib = method;
    options.output = path;
    options.force = true;

    ptq_error err;
    ptq_result *result;
    if (ptq_quantize(model, &options, NULL, &result, &err) != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), -1;
    double map = -1;
    (void)!ptq_result_number(result, "int8.map50_95", &map);
    puts(ptq_result_text(result));
    ptq_result_destroy(result);
    return map;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: quantize_detector MODEL DATA.yaml SIZE OUTPUT\n"), 2;
    const char *yaml = argv[2], *best = argv[4];
    int size = (int)strtol(argv[3], NULL, 10);
    char other[4096];
    snprintf(other, sizeof other, "%s.other", best);

    ptq_error err;
    ptq_model *model;
    if (ptq_model_load(argv[1], NULL, NULL, &model, &err) != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    double by_mse = quantize(model, PTQ_CALIB_MSE, yaml, size, best);
    double by_percentile = quantize(model, PTQ_CALIB_PERCENTILE, yaml, size, other);
    ptq_model_destroy(model);
    if (by_mse < 0 || by_percentile < 0)
        return 1;

    if (by_percentile > by_mse ? rename(other, best) : remove(other))
        return perror(best), 1;
    printf("%s: by %s\n", best, by_percentile > by_mse ? "percentile" : "mse");
    return 0;
}
