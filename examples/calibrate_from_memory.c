/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrate and quantize with pictures that never were files: here drawn, in earnest the frames of
 * a camera or a video, or what an own decoder gives. Shows progress, and stops when the user says
 * so: a thread of its own waits for a line on standard input.
 *
 *     calibrate_from_memory yolov7.pt SIZE out.onnx
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ptq/ptq.h"

enum { WIDTH = 320, HEIGHT = 240, N_FRAMES = 16 };

/* A camera: bright squares wander over a dark slope. */
typedef struct camera {
    unsigned char pixels[HEIGHT][WIDTH][3];
} camera;

static ptq_status next_frame(void *user, int index, ptq_image *out, ptq_error *err)
{
    camera *c = user;
    (void)err; /* a real camera may fail, and would say here how */
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int in_square = (x - 11 * index) % 97 < 40 && (y + 7 * index) % 83 < 40;
            c->pixels[y][x][0] = (unsigned char)(in_square ? 220 : x / 3);
            c->pixels[y][x][1] = (unsigned char)(in_square ? 40 + 10 * index : y / 3);
            c->pixels[y][x][2] = (unsigned char)(in_square ? 90 : 30);
        }
    *out = (ptq_image){&c->pixels[0][0][0], WIDTH, HEIGHT, 0};
    return PTQ_OK;
}

static void show_progress(void *user, const char *what, size_t done, size_t total)
{
    (void)user;
    fprintf(stderr, "%s: %zu of %zu\n", what, done, total);
}

static volatile int is_cancelled;

static void *wait_for_line(void *unused)
{
    if (getchar() != EOF)
        is_cancelled = 1;
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: calibrate_from_memory MODEL SIZE OUTPUT\n"), 2;
    pthread_t listener;
    if (pthread_create(&listener, NULL, wait_for_line, NULL) == 0)
        pthread_detach(listener);

    ptq_env env = {.progress = show_progress, .cancel = &is_cancelled};
    ptq_error err;
    ptq_model *model;
    if (ptq_model_load(argv[1], NULL, &env, &model, &err) != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;

    static camera lens;
    ptq_image_source frames = {.count = N_FRAMES, .get = next_frame, .user = &lens};
    ptq_quantize_options options;
    ptq_quantize_options_init(&options);
    options.data.image_size = (int)strtol(argv[2], NULL, 10);
    options.quant.images = &frames;
    options.output = argv[3];
    options.force = true;
    options.evaluate = false; /* without labelled pictures there is nothing to measure with */

    ptq_result *result;
    ptq_status status = ptq_quantize(model, &options, &env, &result, &err);
    ptq_model_destroy(model);
    if (status == PTQ_CANCELLED)
        return fprintf(stderr, "stopped; no file was written\n"), 1;
    if (status != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    double layers;
    if (ptq_result_number(result, "quantized_layers", &layers))
        printf("%s: %.0f layers in int8, from %d frames\n", argv[3], layers, N_FRAMES);
    ptq_result_destroy(result);
    return 0;
}
