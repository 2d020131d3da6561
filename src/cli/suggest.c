/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <string.h>

enum { MAX_LETTERS = 40, MAX_SLIPS = 2 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; MAX_SLIPS + 1 for words too long to be commands. */
static int distance_of(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MAX_LETTERS || m > MAX_LETTERS)
        return MAX_SLIPS + 1;
    int d[MAX_LETTERS + 1][MAX_LETTERS + 1];
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = smaller(replaced, smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

void suggest_nearer(suggestion *best, const char *typed, const char *candidate)
{
    int distance = distance_of(typed, candidate);
    if (distance > MAX_SLIPS || distance >= (int)strlen(typed))
        return;
    if (!best->word || distance < best->distance)
        *best = (suggestion){candidate, distance};
}

const char *suggest_translation(const char *typed)
{
    static const char *const WORDS[][2] = {
        /* yolov7's and yolov5's options */
        {"img-size", "imgsz"},
        {"img", "imgsz"},
        {"batch-size", "batch"},
        {"conf-thres", "conf"},
        {"iou-thres", "iou"},
        {"task", "split"},
        {"verbose", "per-class"},
        {"save-json", "save-detections"},
        {"source", "input"},
        /* other quantizers' words */
        {"method", "calib"},
        {"calibration-method", "calib"},
        {"nodes-to-exclude", "exclude"},
        {"ignore-policy", "exclude"},
        {"out", "output"},
        {"dynamic-batch", "batch"},
        /* values */
        {"trt", "tensorrt10"},
        {"trt10", "tensorrt10"},
        {"trt11", "tensorrt11"},
        {"ort", "onnxruntime"},
        {"onnx", "onnxruntime"},
        {"minmax", "max"},
        {"kl", "entropy"},
        {"kld", "entropy"},
        {"histogram", "mse"},
        {"acc", "map"},
        {"mAP", "map"},
        /* commands */
        {"val", "eval"},
        {"test", "eval"},
        {"validate", "eval"},
        {"evaluate", "eval"},
        {"convert", "export"},
        {"benchmark", "bench"},
        {"predict", "run"},
        {"sensitive", "sensitivity"},
        {"inspect", "info"},
        {"ptq", "quantize"},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcmp(WORDS[i][0], typed) == 0)
            return WORDS[i][1];
    return NULL;
}
