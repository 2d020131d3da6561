/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pt_attr.h"

#include <string.h>

enum { MAX_SIZE = 1 << 24 }; /* of any channel count, kernel or stride */

static ptq_status attr_int(const pickle_value *object, const char *name, int least, int *out,
                           ptq_error *err)
{
    int64_t value;
    if (!pickle_int(pickle_attr(object, name), &value) || value < least || value > MAX_SIZE)
        return error_set(err, PTQ_FORMAT, "its '%s' is not a number of at least %d", name, least);
    *out = (int)value;
    return PTQ_OK;
}

/* A number for both directions, or a pair (height, width). */
static ptq_status attr_pair(const pickle_value *object, const char *name, int least, int out[2],
                            ptq_error *err)
{
    size_t n;
    int64_t value[2];
    const pickle_value *v = pickle_attr(object, name);
    pickle_value *const *items = pickle_items(v, &n);
    bool is_good = false;
    if (pickle_int(v, &value[0])) {
        value[1] = value[0];
        is_good = true;
    } else if (n == 1 || n == 2) {
        is_good = pickle_int(items[0], &value[0]) && pickle_int(items[n - 1], &value[1]);
    }
    for (int i = 0; i < 2; i++) {
        if (!is_good || value[i] < least || value[i] > MAX_SIZE)
            return error_set(err, PTQ_FORMAT, "its '%s' is not one or two numbers of at least %d",
                             name, least);
        out[i] = (int)value[i];
    }
    return PTQ_OK;
}

/* Numbers, or the words of newer versions: 'valid' is 0, 'same' keeps the size at stride 1. */
static ptq_status attr_conv_padding(const pickle_value *object, conv_attr *a, ptq_error *err)
{
    const char *word = pickle_str(pickle_attr(object, "padding"));
    int pad[2] = {0, 0};
    if (!word)
        PTQ_TRY(attr_pair(object, "padding", 0, pad, err));
    else if (strcmp(word, "same") != 0 && strcmp(word, "valid") != 0)
        return error_set(err, PTQ_UNSUPPORTED, "its padding '%.40s' is not known", word);
    for (int i = 0; i < 2; i++) {
        int total = a->dilation[i] * (a->kernel[i] - 1);
        bool is_same = word && strcmp(word, "same") == 0;
        a->pad[i] = is_same ? total / 2 : pad[i];
        a->pad[i + 2] = is_same ? total - total / 2 : pad[i];
    }
    return PTQ_OK;
}

ptq_status pt_attr_conv2d(const pickle_value *object, module_conv2d *c, ptq_error *err)
{
    conv_attr *a = &c->attr;
    PTQ_TRY(attr_int(object, "in_channels", 1, &c->in, err));
    PTQ_TRY(attr_int(object, "out_channels", 1, &c->out, err));
    PTQ_TRY(attr_int(object, "groups", 1, &a->groups, err));
    PTQ_TRY(attr_pair(object, "kernel_size", 1, a->kernel, err));
    PTQ_TRY(attr_pair(object, "stride", 1, a->stride, err));
    PTQ_TRY(attr_pair(object, "dilation", 1, a->dilation, err));
    for (int i = 0; i < 2; i++)
        if (a->kernel[i] > 4096 || a->dilation[i] > 4096)
            return error_set(err, PTQ_FORMAT, "its kernel has an impossible size");
    PTQ_TRY(attr_conv_padding(object, a, err));
    const char *mode = pickle_str(pickle_attr(object, "padding_mode"));
    if (mode && strcmp(mode, "zeros") != 0)
        return error_set(err, PTQ_UNSUPPORTED, "its padding mode '%.40s' is not supported", mode);
    if (c->in % a->groups || c->out % a->groups)
        return error_set(err, PTQ_FORMAT, "its %d and %d channels do not divide into %d groups",
                         c->in, c->out, a->groups);
    c->has_bias = !pickle_is_none(pickle_get(pickle_attr(object, "_parameters"), "bias"));
    return PTQ_OK;
}

ptq_status pt_attr_norm(const pickle_value *object, module_norm *n, ptq_error *err)
{
    double epsilon;
    PTQ_TRY(attr_int(object, "num_features", 1, &n->channels, err));
    if (!pickle_double(pickle_attr(object, "eps"), &epsilon) || !(epsilon >= 0) || epsilon > 1)
        return error_set(err, PTQ_FORMAT, "its 'eps' is not a small number");
    n->epsilon = (float)epsilon;
    return PTQ_OK;
}

ptq_status pt_attr_activation(const pickle_value *object, const char *type, activation *act,
                              ptq_error *err)
{
    module_activation_of(type, act);
    double slope;
    if (act->kind != ACT_LEAKY_RELU)
        return PTQ_OK;
    if (!pickle_double(pickle_attr(object, "negative_slope"), &slope) || !(slope > -1e6) ||
        slope > 1e6)
        return error_set(err, PTQ_FORMAT, "its 'negative_slope' is not a number");
    act->alpha = (float)slope;
    return PTQ_OK;
}

ptq_status pt_attr_max_pool(const pickle_value *object, pool_attr *p, ptq_error *err)
{
    int pad[2];
    PTQ_TRY(attr_pair(object, "kernel_size", 1, p->kernel, err));
    PTQ_TRY(attr_pair(object, "stride", 1, p->stride, err));
    PTQ_TRY(attr_pair(object, "padding", 0, pad, err));
    PTQ_TRY(attr_pair(object, "dilation", 1, p->dilation, err));
    for (int i = 0; i < 2; i++) {
        if (pad[i] > p->kernel[i] / 2)
            return error_set(err, PTQ_FORMAT, "its padding is more than half its kernel");
        p->pad[i] = p->pad[i + 2] = pad[i];
    }
    bool ceil_mode;
    p->ceil_mode = pickle_bool(pickle_attr(object, "ceil_mode"), &ceil_mode) && ceil_mode;
    return PTQ_OK;
}

ptq_status pt_attr_upsample(const pickle_value *object, resize_attr *a, ptq_error *err)
{
    const char *mode = pickle_str(pickle_attr(object, "mode"));
    const pickle_value *factor = pickle_attr(object, "scale_factor");
    size_t n;
    pickle_value *const *items = pickle_items(factor, &n);
    bool align;
    if (!pickle_is_none(pickle_attr(object, "size")))
        return error_set(err, PTQ_UNSUPPORTED, "an upsampling to a fixed size is not supported");
    for (size_t i = 0; i < 2; i++) {
        double scale;
        if (!pickle_double(n == 2 ? items[i] : factor, &scale) || !(scale > 0) || scale > 1024)
            return error_set(err, PTQ_FORMAT, "its 'scale_factor' is not a number above 0");
        a->scale[i] = (float)scale;
    }
    if (mode && strcmp(mode, "nearest") == 0) {
        a->mode = RESIZE_NEAREST;
        a->coord = RESIZE_ASYMMETRIC;
        a->nearest = RESIZE_FLOOR;
    } else if (mode && strcmp(mode, "bilinear") == 0) {
        a->mode = RESIZE_LINEAR;
        bool is_aligned = pickle_bool(pickle_attr(object, "align_corners"), &align) && align;
        a->coord = is_aligned ? RESIZE_ALIGN_CORNERS : RESIZE_HALF_PIXEL;
    } else {
        return error_set(err, PTQ_UNSUPPORTED, "its mode '%.40s' is not supported",
                         mode ? mode : "?");
    }
    return PTQ_OK;
}

ptq_status pt_attr_axis(const pickle_value *object, int *axis, ptq_error *err)
{
    return attr_int(object, "d", 0, axis, err);
}

ptq_status pt_attr_implicit(const pickle_value *object, int *channels, ptq_error *err)
{
    const pickle_value *v = pickle_get(pickle_attr(object, "_parameters"), "implicit");
    const pickle_tensor *t = v && v->kind == PICKLE_TENSOR ? v->as.tensor : NULL;
    if (!t || t->rank != 4 || t->size[0] != 1 || t->size[1] < 1 || t->size[1] > MAX_SIZE ||
        t->size[2] != 1 || t->size[3] != 1)
        return error_set(err, PTQ_FORMAT, "its parameter is not of shape [1,C,1,1]");
    *channels = (int)t->size[1];
    return PTQ_OK;
}

/* A fused module keeps `forward` as the bound method getattr(self, 'fuseforward'). */
static bool is_fused(const pickle_value *object)
{
    const pickle_value *forward = pickle_attr(object, "forward");
    size_t n = 0;
    pickle_value *const *args = forward && forward->kind == PICKLE_OPAQUE
                                    ? pickle_items(forward->as.object.args, &n)
                                    : NULL;
    const char *name = n == 2 ? pickle_str(args[1]) : NULL;
    return name && strcmp(name, "fuseforward") == 0;
}

ptq_status pt_attr_head(const pickle_value *object, module_head *h, ptq_error *err)
{
    PTQ_TRY(attr_int(object, "nl", 1, &h->n_levels, err));
    PTQ_TRY(attr_int(object, "na", 1, &h->n_anchors, err));
    PTQ_TRY(attr_int(object, "nc", 1, &h->n_classes, err));
    if (h->n_levels > MODULE_MAX_LEVELS || h->n_anchors > MODULE_MAX_ANCHORS)
        return error_set(err, PTQ_UNSUPPORTED,
                         "a head of %d levels with %d anchors each; at most %d and %d", h->n_levels,
                         h->n_anchors, MODULE_MAX_LEVELS, MODULE_MAX_ANCHORS);
    h->is_fused = is_fused(object);
    return PTQ_OK;
}
