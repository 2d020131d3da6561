/* SPDX-License-Identifier: Apache-2.0 */
#include "api/compare_images.h"

#include <string.h>

#include "api/detect_inputs.h"
#include "api/detector.h"
#include "api/result.h"
#include "base/file.h"
#include "data/data_problem.h"

enum { GAP = 8 }; /* white columns between the two */

/* The picture with the boxes that `l` finds in it. */
static ptq_status look(looker *l, const char *path, image *out, int *n, ptq_error *err)
{
    const detection *dets;
    image seen;
    PTQ_TRY(data_problem(image_read(path, &seen, err), err));
    PTQ_TRY(detector_look(&l->detector, &seen, &dets, n, err));
    PTQ_TRY(image_read(path, out, err));
    paint_detections(out, dets, *n, &l->names);
    return PTQ_OK;
}

static ptq_status beside(const image half[2], image *out, ptq_error *err)
{
    size_t left = (size_t)half[0].width * 3, right = (size_t)half[1].width * 3, gap = GAP * 3;
    PTQ_TRY(image_create(half[0].width + GAP + half[1].width, half[0].height, out, err));
    for (int y = 0; y < out->height; y++) {
        unsigned char *row = out->pixels + (size_t)y * (left + gap + right);
        memcpy(row, half[0].pixels + (size_t)y * left, left);
        memset(row + left, 255, gap);
        memcpy(row + left + gap, half[1].pixels + (size_t)y * right, right);
    }
    return PTQ_OK;
}

static ptq_status paint_pair(looker l[2], const char *path, const char *output, json_t *list,
                             ptq_error *err)
{
    image half[2] = {{0}}, both = {0};
    int found[2] = {0, 0};
    ptq_status status = look(&l[0], path, &half[0], &found[0], err);
    if (status == PTQ_OK)
        status = look(&l[1], path, &half[1], &found[1], err);
    if (status == PTQ_OK)
        status = beside(half, &both, err);
    if (status == PTQ_OK)
        status = image_write(output, &both, err);
    if (status == PTQ_OK)
        json_array_append_new(list, json_pack("{s:s,s:s,s:[i,i]}", "file", path, "output", output,
                                              "detections", found[0], found[1]));
    image_clear(&half[0]);
    image_clear(&half[1]);
    image_clear(&both);
    return status;
}

static ptq_status paint_all(looker l[2], const image_list *pictures, char *const *outputs,
                            const ptq_env *env, json_t *list, ptq_error *err)
{
    for (int i = 0; i < pictures->n; i++) {
        PTQ_TRY(env_check_cancel(env, err));
        PTQ_TRY(paint_pair(l, pictures->paths[i], outputs[i], list, err));
        env_progress(env, "painting", (size_t)i + 1, (size_t)pictures->n);
    }
    return PTQ_OK;
}

static ptq_status open_both(looker l[2], ptq_model *const models[2], const ptq_compare_options *o,
                            const ptq_env *env, ptq_error *err)
{
    ptq_precision wanted[2] = {o->precision_a, o->precision_b};
    for (int i = 0; i < 2; i++) {
        ptq_detect_options rules;
        ptq_detect_options_init(&rules);
        rules.image_size = o->data.image_size;
        rules.precision = wanted[i];
        PTQ_TRY(looker_open(&l[i], models[i], &rules, env, err));
    }
    return PTQ_OK;
}

ptq_status compare_images(ptq_model *const models[2], const ptq_compare_options *o,
                          const compared_pictures *pictures, const ptq_env *env, json_t **out,
                          ptq_error *err)
{
    image_list first = {.paths = (char **)(uintptr_t)pictures->paths,
                        .n = pictures->n < COMPARE_PICTURES ? pictures->n : COMPARE_PICTURES};
    looker l[2] = {{0}};
    char **outputs = NULL;
    PTQ_TRY(file_make_dirs(o->images, err));
    PTQ_TRY(detect_outputs(&first, o->images, o->force, &outputs, err));
    json_t *list = json_array();
    ptq_status status = open_both(l, models, o, env, err);
    if (status == PTQ_OK)
        status = paint_all(l, &first, outputs, env, list, err);
    for (int i = 0; i < 2; i++)
        looker_close(&l[i]);
    detect_outputs_free(outputs, first.n);
    if (status == PTQ_OK)
        *out = json_incref(list);
    json_decref(list);
    return status;
}
