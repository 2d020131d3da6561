/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/fit.h"

static bool has_open_slices(const quant_point *p)
{
    return quant_point_has_input(p) && p->input_axes && p->input_desc.n_amax == 0;
}

static bool is_learned(const quant_point *p)
{
    return (quant_point_has_input(p) && p->input_desc.learn_amax) ||
           (quant_point_has_weight(p) && p->weight_desc.learn_amax);
}

const char *fit_needed_by(const quant_points *points)
{
    for (int i = 0; i < points->n; i++)
        if (has_open_slices(&points->items[i]) || is_learned(&points->items[i]))
            return points->items[i].layer;
    return NULL;
}

ptq_status fit_ranges(const fit_job *job, const ptq_env *env, json_t **report, ptq_error *err)
{
    json_t *list = json_array();
    if (!list)
        return error_no_memory(err, 0, "fitted ranges");
    ptq_status st = fit_slices(job, env, err);
    if (st == PTQ_OK)
        st = fit_learned(job, env, list, err);
    if (st == PTQ_OK)
        *report = list;
    else
        json_decref(list);
    return st;
}
