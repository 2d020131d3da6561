/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers cost accuracy? A ranking that shows how far it is, can be interrupted with Ctrl-C
 * and goes on from its journal.
 *
 *     rank_layers yolov7.pt coco.yaml SIZE journal.json
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "ptq/ptq.h"

static volatile int is_cancelled;

static void on_interrupt(int number)
{
    (void)number;
    is_cancelled = 1;
}

static void show_progress(void *user, const char *what, size_t done, size_t total)
{
    (void)user;
    fprintf(stderr, "%s: %zu of %zu\n", what, done, total);
}

static void show_message(void *user, ptq_log_level level, const char *message)
{
    (void)user;
    if (level != PTQ_LOG_DEBUG)
        fprintf(stderr, "%s\n", message);
}

/* The harm of the worst layer, in mAP; -1: there is no ranking. */
static double rank(ptq_model *model, char **argv, const ptq_env *env, ptq_error *err)
{
    ptq_sensitivity_options o;
    ptq_sensitivity_options_init(&o);
    o.data.yaml = argv[2];
    o.data.image_size = (int)strtol(argv[3], NULL, 10);
    o.data.limit = 16;
    o.quant.calib_images = 16;
    o.journal = argv[4];
    o.top = 5;
    ptq_result *r;
    if (ptq_sensitivity(model, &o, env, &r, err) != PTQ_OK)
        return -1;
    double drop = -1;
    if (ptq_result_number(r, "layers.0.drop", &drop))
        puts(ptq_result_text(r));
    ptq_result_destroy(r);
    return drop;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: rank_layers MODEL DATA.yaml SIZE JOURNAL\n"), 2;
    signal(SIGINT, on_interrupt);
    ptq_env env = {.progress = show_progress, .log = show_message, .cancel = &is_cancelled};
    ptq_error err = {.message = ""};
    ptq_model *model;
    if (ptq_model_load(argv[1], NULL, &env, &model, &err) != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    double drop = rank(model, argv, &env, &err);
    ptq_model_destroy(model);
    if (drop < 0)
        return fprintf(stderr, "%s\n", err.message), 1;
    printf("the worst layer costs %.4f\n", drop);
    return 0;
}
