/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest whole program: how good is this model on this data set?
 *
 *     evaluate_detector yolov7.pt coco.yaml [image size]
 */
#include <stdio.h>
#include <stdlib.h>

#include "ptq/ptq.h"

static void show(void *user, ptq_log_level level, const char *message)
{
    (void)user;
    if (level == PTQ_LOG_WARNING)
        fprintf(stderr, "warning: %s\n", message);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fprintf(stderr, "usage: evaluate_detector MODEL DATA.yaml [SIZE]\n"), 2;

    ptq_env env = {.log = show};
    ptq_error err;
    ptq_model *model;
    if (ptq_model_load(argv[1], NULL, &env, &model, &err) != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;

    ptq_eval_options options;
    ptq_eval_options_init(&options);
    options.data.yaml = argv[2];
    if (argc > 3)
        options.data.image_size = (int)strtol(argv[3], NULL, 10);

    ptq_result *result;
    ptq_status status = ptq_eval(model, &options, &env, &result, &err);
    ptq_model_destroy(model);
    if (status != PTQ_OK)
        return fprintf(stderr, "%s\n", err.message), 1;

    double map;
    if (ptq_result_number(result, "map50_95", &map))
        printf("mAP@.5:.95 is %.4f\n", map);
    ptq_result_destroy(result);
    return 0;
}
