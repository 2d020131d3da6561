/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reproduce.h"

#include <string.h>

#include "base/str.h"
#include "quant/calibrate_amax.h"

/* As the shell reads it back. */
static void add_word(str *out, const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%";
    str_add(out, " ");
    if (*word && strspn(word, PLAIN) == strlen(word)) {
        str_add(out, word);
        return;
    }
    str_add(out, "'");
    for (; *word; word++)
        str_add_n(out, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
    str_add(out, "'");
}

static void add_text(str *out, const char *option, const char *value)
{
    if (!value)
        return;
    str_addf(out, " --%s", option);
    add_word(out, value);
}

static void add_int(str *out, const char *option, int value, int usual)
{
    if (value != usual)
        str_addf(out, " --%s %d", option, value);
}

static void add_number(str *out, const char *option, double value, double usual)
{
    if (value < usual || value > usual)
        str_addf(out, " --%s %.17g", option, value);
}

static void add_flag(str *out, const char *option, bool value)
{
    if (value)
        str_addf(out, " --%s", option);
}

static void add_switch(str *out, const char *option, int value)
{
    if (value >= 0)
        str_addf(out, " --%s%s", value ? "" : "no-", option);
}

static void add_data(str *out, const ptq_data_options *d, const ptq_data_options *usual)
{
    add_text(out, "data", d->yaml);
    add_text(out, "data-root", d->root);
    add_text(out, "annotations", d->annotations);
    add_int(out, "imgsz", d->image_size, usual->image_size);
    add_int(out, "limit", d->limit, usual->limit);
    add_flag(out, "single-cls", d->single_class);
}

static void add_quant(str *out, const ptq_quant_options *q, const ptq_quant_options *usual)
{
    if (q->calib != usual->calib)
        add_text(out, "calib", amax_method_name((amax_method)q->calib));
    add_text(out, "calib-from", q->calib_from);
    add_int(out, "calib-images", q->calib_images, usual->calib_images);
    add_int(out, "calib-batch", q->calib_batch, usual->calib_batch);
    add_number(out, "percentile", q->percentile, usual->percentile);
    add_flag(out, "shuffle", q->shuffle);
    add_text(out, "compat", q->compat_pytorch ? "pytorch" : NULL);
    add_text(out, "quant-config", q->config);
    for (int i = 0; q->exclude && q->exclude[i]; i++)
        add_text(out, "exclude", q->exclude[i]);
    add_switch(out, "share-scales", q->share_scales);
    add_switch(out, "residual", q->residual);
    add_flag(out, "quantize-head", q->quantize_head);
    add_flag(out, "float-weights", q->float_weights);
}

static void add_form(str *out, const ptq_form_options *f, const ptq_form_options *usual)
{
    if (f->batch < 0)
        add_text(out, "batch", "dynamic");
    else
        add_int(out, "batch", f->batch, usual->batch);
    if (strcmp(f->head, usual->head) != 0)
        add_text(out, "head", f->head);
    add_number(out, "conf", f->conf, usual->conf);
    add_number(out, "iou", f->iou, usual->iou);
    add_int(out, "max-det", f->max_det, usual->max_det);
}

char *reproduce_quantize(const char *model, const ptq_quantize_options *o)
{
    ptq_quantize_options usual;
    ptq_quantize_options_init(&usual);
    str out = STR_INIT;
    str_add(&out, "ptq quantize");
    add_word(&out, model);
    add_data(&out, &o->data, &usual.data);
    add_quant(&out, &o->quant, &usual.quant);
    if (strcmp(o->target, usual.target) != 0)
        add_text(&out, "target", o->target);
    if (strcmp(o->effort, usual.effort) != 0)
        add_text(&out, "effort", o->effort);
    add_form(&out, &o->form, &usual.form);
    add_flag(&out, "simulate", o->simulate);
    if (strcmp(o->metric, usual.metric) != 0)
        add_text(&out, "metric", o->metric);
    add_int(&out, "keep16", o->keep16, 0);
    add_number(&out, "max-drop", o->max_drop, usual.max_drop);
    add_number(&out, "max-ms", o->max_ms, usual.max_ms);
    add_flag(&out, "no-eval", !o->evaluate);
    add_text(&out, "output", o->output);
    add_text(&out, "report", o->report_dir);
    return str_take(&out);
}
