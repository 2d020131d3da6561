/* SPDX-License-Identifier: Apache-2.0 */
/* A calibrator of one's own: ranges as an exponential moving average of the largest value of each
 * image, which no built-in method has. The network is run on the caller's tensors while an observer
 * looks at the input of every layer; the ranges go into settings, and these into the quantized
 * file.
 *
 *     custom_observer yolov7.pt SIZE out.onnx
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptq/ptq.h"

enum { MAX_LAYERS = 512, N_IMAGES = 8 };
#define MOMENTUM 0.9F

static ptq_error err;

typedef struct watched {
    const char *layer, *tensor; /* of the result of ptq_info() */
    float amax;                 /* 0: nothing seen yet */
} watched;

typedef struct observer {
    watched layers[MAX_LAYERS];
    int n;
} observer;

/* Every layer that has a quantizer on its input, and the tensor it reads. */
static void list_layers(observer *o, const ptq_result *info)
{
    for (o->n = 0; o->n < MAX_LAYERS; o->n++) {
        char key[64];
        snprintf(key, sizeof key, "quantizers.%d.layer", o->n);
        o->layers[o->n].layer = ptq_result_string(info, key);
        snprintf(key, sizeof key, "quantizers.%d.tensor", o->n);
        o->layers[o->n].tensor = ptq_result_string(info, key);
        if (!o->layers[o->n].layer || !o->layers[o->n].tensor)
            return;
    }
}

static void observe(void *user, const ptq_tensor *t)
{
    observer *o = user;
    size_t n = 1;
    float largest = 0;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->dims[i];
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(t->data[i]));
    for (int i = 0; i < o->n; i++) { /* several layers may read one tensor */
        float *amax = &o->layers[i].amax;
        if (strcmp(o->layers[i].tensor, t->name) == 0)
            *amax = *amax > 0 ? MOMENTUM * *amax + (1 - MOMENTUM) * largest : largest;
    }
}

/* Made-up pictures of `size` x `size`; in earnest these are yours. */
typedef struct pictures {
    int size;
    unsigned char *rgb;
} pictures;

static ptq_status next_picture(void *user, int index, ptq_image *out, ptq_error *unused)
{
    const pictures *p = user;
    (void)unused;
    for (int i = 0; i < 3 * p->size * p->size; i++)
        p->rgb[i] = (unsigned char)(i * (index + 3) % 251);
    *out = (ptq_image){p->rgb, p->size, p->size, 0};
    return PTQ_OK;
}

/* The network wants planes of values from 0 to 1. */
static void to_planes(const pictures *p, float *planes)
{
    int n = p->size * p->size;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            planes[c * n + i] = (float)p->rgb[3 * i + c] / 255;
}

static int run_pictures(ptq_model *model, observer *o, pictures *p)
{
    const char *names[MAX_LAYERS + 1] = {NULL};
    for (int i = 0; i < o->n; i++)
        names[i] = o->layers[i].tensor;
    ptq_runner_options options = {.watch = names, .observe = observe, .user = o};
    ptq_runner *runner;
    if (ptq_runner_create(model, &options, NULL, &runner, &err))
        return 1;
    float *planes = calloc((size_t)(3 * p->size * p->size), sizeof *planes);
    ptq_tensor input = {.data = planes, .dims = {1, 3, p->size, p->size}, .rank = 4};
    int failed = !planes;
    for (int k = 0; k < N_IMAGES && !failed; k++) {
        ptq_image unused;
        failed = next_picture(p, k, &unused, &err) != PTQ_OK;
        to_planes(p, planes);
        failed = failed || ptq_runner_run(runner, &input, &err) != PTQ_OK;
    }
    free(planes);
    ptq_runner_destroy(runner);
    return failed;
}

/* The ranges as settings. Layers that share a scale must not contradict each other, so that none
 * share here. */
static int make_settings(const observer *o, ptq_quant_config **out)
{
    static const char *const SHARED[] = {"concat", "maxpool", "resize", "move", "add"};
    if (ptq_quant_config_create(NULL, out, &err))
        return 1;
    for (size_t i = 0; i < sizeof SHARED / sizeof *SHARED; i++)
        if (ptq_quant_config_share(*out, SHARED[i], false, &err))
            return 1;
    for (int i = 0; i < o->n; i++) {
        ptq_layers which = {.layer = o->layers[i].layer};
        ptq_quant_desc d;
        ptq_quant_desc_init(&d);
        d.n_amax = 1;
        d.amax = &o->layers[i].amax;
        if (o->layers[i].amax > 0 && ptq_quant_config_layer(*out, &which, PTQ_INPUT, &d, &err))
            return 1;
    }
    return 0;
}

/* What the settings leave open is calibrated as usual, from the same pictures. */
static int quantize(ptq_model *model, const ptq_quant_config *settings, pictures *p,
                    const char *path)
{
    ptq_image_source source = {.count = N_IMAGES, .get = next_picture, .user = p};
    ptq_quantize_options q;
    ptq_quantize_options_init(&q);
    q.data.image_size = p->size;
    q.quant.images = &source;
    q.quant.settings = settings;
    q.output = path;
    q.evaluate = false;
    q.force = true;
    ptq_result *r;
    if (ptq_quantize(model, &q, NULL, &r, &err))
        return 1;
    printf("wrote %s\n", path);
    ptq_result_destroy(r);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: custom_observer MODEL SIZE OUTPUT\n"), 2;
    static observer o;
    pictures p = {.size = (int)strtol(argv[2], NULL, 10)};
    if (p.size < 32 || p.size > 4096)
        return fprintf(stderr, "the size is a number from 32 to 4096\n"), 2;
    p.rgb = malloc((size_t)(3 * p.size * p.size));
    ptq_model *model = NULL;
    ptq_quant_config *settings = NULL;
    ptq_result *info = NULL;
    ptq_load_options load = {.keep_unfused = true}; /* for ptq_info() */
    ptq_info_options what;
    ptq_info_options_init(&what);
    what.quant = true;
    int failed = !p.rgb || ptq_model_load(argv[1], &load, NULL, &model, &err) ||
                 ptq_info(model, &what, NULL, &info, &err);
    if (!failed) {
        list_layers(&o, info);
        failed = run_pictures(model, &o, &p) || make_settings(&o, &settings) ||
                 quantize(model, settings, &p, argv[3]);
    }
    for (int i = 0; i < 3 && i < o.n && !failed; i++)
        printf("%-20s amax %.4f\n", o.layers[i].layer, (double)o.layers[i].amax);
    if (failed)
        fprintf(stderr, "%s\n", err.message);
    ptq_quant_config_destroy(settings);
    ptq_result_destroy(info);
    ptq_model_destroy(model);
    free(p.rgb);
    return failed;
}
