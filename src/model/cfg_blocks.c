/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cfg_blocks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MODULES = 100000, MAX_WINDOW = 4096, MAX_POOLS = 15 };

/* PyTorch's default is 1e-5; initialize_weights() of YOLOv7 sets this on every module. */
static const float BATCH_NORM_EPSILON = 1e-3f;

void cfg_error_at(const cfg_builder *b, const char *format, ...)
{
    char what[768];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    yaml_error_at(b->err, b->doc, b->row, "%s", what);
}

ptq_status cfg_add(cfg_builder *b, module *parent, const char *type, const char *name, module **out)
{
    if (++b->n_modules > MAX_MODULES)
        return cfg_error(b, "the network has more than %d modules", MAX_MODULES);
    module *m = module_add(b->net->arena, parent, type, name);
    if (!m)
        return error_no_memory(b->err, sizeof *m, "a module");
    *out = m;
    return PTQ_OK;
}

/* ---- arguments ---- */

static const cfg_arg *arg_at(const cfg_args *a, int i)
{
    static const cfg_arg none = {.kind = CFG_NONE};
    return i < a->n_args ? &a->args[i] : &none;
}

static ptq_status arg_int(const cfg_builder *b, const cfg_args *a, int i, int standard, int *out)
{
    const cfg_arg *v = arg_at(a, i);
    if (v->kind == CFG_NONE) {
        *out = standard;
        return PTQ_OK;
    }
    if (v->kind != CFG_NUMBER || v->number < 0 || v->number > CFG_MAX_CHANNELS ||
        (int)v->number != v->number)
        return cfg_error(b, "argument %d is not a whole number", i + 1);
    *out = (int)v->number;
    return PTQ_OK;
}

static bool arg_bool(const cfg_args *a, int i, bool standard)
{
    const cfg_arg *v = arg_at(a, i);
    return v->kind == CFG_BOOL ? v->truth : v->kind == CFG_NUMBER ? v->number != 0 : standard;
}

static ptq_status arg_share(const cfg_builder *b, const cfg_args *a, int i, double standard,
                            double *out)
{
    const cfg_arg *v = arg_at(a, i);
    *out = v->kind == CFG_NUMBER ? v->number : standard;
    if (!(*out > 0) || *out > 16)
        return cfg_error(b, "argument %d is not a share of the channels", i + 1);
    return PTQ_OK;
}

/* A number, or a list of `max` numbers at most; *n of them. */
static ptq_status arg_ints(const cfg_builder *b, const cfg_args *a, int i, int max, int *out,
                           int *n)
{
    const cfg_arg *v = arg_at(a, i);
    if (v->kind != CFG_LIST) {
        *n = 1;
        return arg_int(b, a, i, out[0], &out[0]);
    }
    if (v->list->n < 1 || v->list->n > max)
        return cfg_error(b, "argument %d is a list of %d numbers", i + 1, v->list->n);
    for (int k = 0; k < v->list->n; k++) {
        int64_t value;
        if (!yaml_int(v->list->items[k], &value) || value < 0 || value > MAX_WINDOW)
            return cfg_error(b, "argument %d holds something that is not a size", i + 1);
        out[k] = (int)value;
    }
    *n = v->list->n;
    return PTQ_OK;
}

/* ---- leaves ---- */

typedef struct conv_spec {
    int in, out;
    int kernel[2], stride, pad, groups; /* pad -1: half the kernel */
    const cfg_arg *act;                 /* NULL: SiLU */
} conv_spec;

/* A convolution without its normalization. */
static ptq_status add_conv2d(cfg_builder *b, module *parent, const char *name, const conv_spec *s,
                             bool has_bias)
{
    module *m = NULL;
    PTQ_TRY(cfg_add(b, parent, "nn.Conv2d", name, &m));
    if (s->in < 1 || s->out < 1 || s->in > CFG_MAX_CHANNELS || s->out > CFG_MAX_CHANNELS)
        return cfg_error(b, "'%s' would have %d input and %d output channels", m->path, s->in,
                         s->out);
    if (s->groups < 1 || s->in % s->groups || s->out % s->groups)
        return cfg_error(b, "the channels of '%s' do not divide into %d groups", m->path,
                         s->groups);
    m->as.conv = (module_conv2d){.in = s->in, .out = s->out, .has_bias = has_bias};
    conv_attr *a = &m->as.conv.attr;
    a->groups = s->groups;
    for (int i = 0; i < 2; i++) {
        if (s->kernel[i] < 1 || s->kernel[i] > MAX_WINDOW || s->stride < 1)
            return cfg_error(b, "'%s' has no kernel or no stride", m->path);
        a->kernel[i] = s->kernel[i];
        a->stride[i] = s->stride;
        a->dilation[i] = 1;
        a->pad[i] = a->pad[i + 2] = s->pad < 0 ? s->kernel[i] / 2 : s->pad;
    }
    return PTQ_OK;
}

static ptq_status add_norm(cfg_builder *b, module *parent, const char *name, int channels)
{
    module *m = NULL;
    PTQ_TRY(cfg_add(b, parent, "nn.BatchNorm2d", name, &m));
    m->as.norm = (module_norm){channels, BATCH_NORM_EPSILON};
    return PTQ_OK;
}

/* True and nothing: SiLU; an activation: that one, shared by the repeats of a row; else none. */
static ptq_status add_act(cfg_builder *b, module *parent, const cfg_arg *act)
{
    module *m = NULL;
    bool is_silu = !act || act->kind == CFG_NONE || (act->kind == CFG_BOOL && act->truth);
    const char *type = is_silu                       ? "nn.SiLU"
                       : act->kind == CFG_ACTIVATION ? act->text
                                                     : "nn.Identity";
    PTQ_TRY(cfg_add(b, parent, type, "act", &m));
    if (!module_activation_of(type, &m->as.act) || is_silu)
        return PTQ_OK;
    m->identity = b->row;
    if (act->slope > 0)
        m->as.act.alpha = act->slope;
    return PTQ_OK;
}

static ptq_status add_pool(cfg_builder *b, module *parent, const char *name, int kernel, int stride,
                           int pad)
{
    module *m = NULL;
    PTQ_TRY(cfg_add(b, parent, "nn.MaxPool2d", name, &m));
    if (kernel < 1 || kernel > MAX_WINDOW || stride < 1)
        return cfg_error(b, "'%s' has no kernel or no stride", m->path);
    m->as.pool = (pool_attr){.kernel = {kernel, kernel},
                             .stride = {stride, stride},
                             .pad = {pad, pad, pad, pad},
                             .dilation = {1, 1}};
    return PTQ_OK;
}

static ptq_status fill_conv(cfg_builder *b, module *m, const conv_spec *s)
{
    PTQ_TRY(add_conv2d(b, m, "conv", s, false));
    PTQ_TRY(add_norm(b, m, "bn", s->out));
    return add_act(b, m, s->act);
}

/* A Conv inside a block: square kernel, SiLU. */
typedef struct inner_conv {
    const char *name;
    int in, out, kernel, stride, groups;
} inner_conv;

static ptq_status add_convs(cfg_builder *b, module *parent, const inner_conv *convs, int n)
{
    for (int i = 0; i < n; i++) {
        const inner_conv *c = &convs[i];
        module *m = NULL;
        conv_spec s = {c->in, c->out, {c->kernel, c->kernel}, c->stride, -1, c->groups, NULL};
        PTQ_TRY(cfg_add(b, parent, "Conv", c->name, &m));
        PTQ_TRY(fill_conv(b, m, &s));
    }
    return PTQ_OK;
}

#define ADD_CONVS(b, parent, ...)                                                                  \
    add_convs(b, parent, (const inner_conv[]){__VA_ARGS__},                                        \
              (int)(sizeof((const inner_conv[]){__VA_ARGS__}) / sizeof(inner_conv)))

/* A ModuleList of size-keeping pools. */
static ptq_status add_pools(cfg_builder *b, module *parent, const int *kernels, int n)
{
    module *list = NULL;
    PTQ_TRY(cfg_add(b, parent, "nn.ModuleList", "m", &list));
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        PTQ_TRY(add_pool(b, list, name, kernels[i], 1, kernels[i] / 2));
    }
    return PTQ_OK;
}

/* ---- modules of the config ---- */

/* k=1, s=1, p=None, g=1, act=True from argument `first` on. */
static ptq_status read_conv_args(const cfg_builder *b, const cfg_args *a, int kernel, conv_spec *s)
{
    int n = 0, pad[2] = {-1, -1};
    *s = (conv_spec){.in = a->in, .out = a->out, .kernel = {kernel, kernel}};
    PTQ_TRY(arg_ints(b, a, 0, 2, s->kernel, &n));
    if (n == 1)
        s->kernel[1] = s->kernel[0];
    PTQ_TRY(arg_int(b, a, 1, 1, &s->stride));
    PTQ_TRY(arg_int(b, a, 2, -1, pad));
    PTQ_TRY(arg_int(b, a, 3, 1, &s->groups));
    s->pad = pad[0];
    s->act = arg_at(a, 4);
    return PTQ_OK;
}

static ptq_status make_conv(cfg_builder *b, module *m, const cfg_args *a)
{
    conv_spec s;
    PTQ_TRY(read_conv_args(b, a, 1, &s));
    return fill_conv(b, m, &s);
}

static int common_divisor(int x, int y)
{
    return y == 0 ? x : common_divisor(y, x % y);
}

/* k, s, act; as many groups as divide both channel counts. */
static ptq_status make_dwconv(cfg_builder *b, module *m, const cfg_args *a)
{
    conv_spec s = {.in = a->in, .out = a->out, .pad = -1, .act = arg_at(a, 2)};
    PTQ_TRY(arg_int(b, a, 0, 1, &s.kernel[0]));
    PTQ_TRY(arg_int(b, a, 1, 1, &s.stride));
    s.kernel[1] = s.kernel[0];
    s.groups = common_divisor(a->in, a->out);
    return fill_conv(b, m, &s);
}

static ptq_status add_branch(cfg_builder *b, module *m, const char *name, const conv_spec *s)
{
    module *branch = NULL;
    PTQ_TRY(cfg_add(b, m, "nn.Sequential", name, &branch));
    PTQ_TRY(add_conv2d(b, branch, "0", s, false));
    return add_norm(b, branch, "1", s->out);
}

static ptq_status make_rep_conv(cfg_builder *b, module *m, const cfg_args *a)
{
    conv_spec s;
    PTQ_TRY(read_conv_args(b, a, 3, &s));
    if (s.kernel[0] != 3 || s.kernel[1] != 3 || (s.pad != -1 && s.pad != 1))
        return cfg_error(b, "a RepConv must have kernel 3 and padding 1");
    PTQ_TRY(add_act(b, m, s.act));
    if (arg_bool(a, 5, false))
        return add_conv2d(b, m, "rbr_reparam", &s, true);
    if (s.in == s.out && s.stride == 1)
        PTQ_TRY(add_norm(b, m, "rbr_identity", s.in));
    PTQ_TRY(add_branch(b, m, "rbr_dense", &s));
    s.kernel[0] = s.kernel[1] = 1;
    return add_branch(b, m, "rbr_1x1", &s);
}

static ptq_status make_focus(cfg_builder *b, module *m, const cfg_args *a)
{
    conv_spec s;
    module *conv = NULL;
    PTQ_TRY(read_conv_args(b, a, 1, &s));
    s.in *= 4;
    PTQ_TRY(cfg_add(b, m, "Conv", "conv", &conv));
    return fill_conv(b, conv, &s);
}

static ptq_status make_mp(cfg_builder *b, module *m, const cfg_args *a)
{
    int kernel = 0;
    PTQ_TRY(arg_int(b, a, 0, 2, &kernel));
    return add_pool(b, m, "m", kernel, kernel, 0);
}

static ptq_status make_sp(cfg_builder *b, module *m, const cfg_args *a)
{
    int kernel = 0, stride = 0;
    PTQ_TRY(arg_int(b, a, 0, 3, &kernel));
    PTQ_TRY(arg_int(b, a, 1, 1, &stride));
    return add_pool(b, m, "m", kernel, stride, kernel / 2);
}

static ptq_status make_axis(cfg_builder *b, module *m, const cfg_args *a)
{
    return arg_int(b, a, 0, 1, &m->as.axis);
}

static ptq_status make_nothing(cfg_builder *b, module *m, const cfg_args *a)
{
    (void)b;
    (void)m;
    (void)a;
    return PTQ_OK;
}

/* size, scale_factor, mode */
static ptq_status make_upsample(cfg_builder *b, module *m, const cfg_args *a)
{
    const cfg_arg *size = arg_at(a, 0), *scale = arg_at(a, 1), *mode = arg_at(a, 2);
    if (size->kind != CFG_NONE || scale->kind != CFG_NUMBER || !(scale->number > 0) ||
        scale->number > 1024)
        return cfg_error(b, "an nn.Upsample needs the arguments [None, factor, 'nearest']");
    if (mode->kind != CFG_NONE && (mode->kind != CFG_TEXT || strcmp(mode->text, "nearest") != 0))
        return cfg_error(b, "nn.Upsample is supported with mode 'nearest' only");
    float factor = (float)scale->number;
    m->as.resize = (resize_attr){.mode = RESIZE_NEAREST,
                                 .coord = RESIZE_ASYMMETRIC,
                                 .nearest = RESIZE_FLOOR,
                                 .scale = {factor, factor}};
    return PTQ_OK;
}

static ptq_status make_spp(cfg_builder *b, module *m, const cfg_args *a)
{
    int kernels[MAX_POOLS] = {5, 9, 13}, n = 0, c = a->in / 2;
    PTQ_TRY(arg_ints(b, a, 0, MAX_POOLS, kernels, &n));
    n = a->n_args == 0 ? 3 : n;
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, c, 1, 1, 1}, {"cv2", c * (n + 1), a->out, 1, 1, 1}));
    return add_pools(b, m, kernels, n);
}

static ptq_status make_sppf(cfg_builder *b, module *m, const cfg_args *a)
{
    int kernel = 0, c = a->in / 2;
    PTQ_TRY(arg_int(b, a, 0, 5, &kernel));
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, c, 1, 1, 1}, {"cv2", c * 4, a->out, 1, 1, 1}));
    return add_pool(b, m, "m", kernel, 1, kernel / 2);
}

/* shortcut and groups are without effect */
static ptq_status make_sppcspc(cfg_builder *b, module *m, const cfg_args *a)
{
    int kernels[MAX_POOLS] = {5, 9, 13}, n = 0;
    double e;
    PTQ_TRY(arg_share(b, a, 2, 0.5, &e));
    PTQ_TRY(arg_ints(b, a, 3, MAX_POOLS, kernels, &n));
    n = a->n_args <= 3 ? 3 : n;
    int c = (int)(2 * a->out * e);
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, c, 1, 1, 1}, {"cv2", a->in, c, 1, 1, 1},
                      {"cv3", c, c, 3, 1, 1}, {"cv4", c, c, 1, 1, 1}));
    PTQ_TRY(add_pools(b, m, kernels, n));
    return ADD_CONVS(b, m, {"cv5", c * (n + 1), c, 1, 1, 1}, {"cv6", c, c, 3, 1, 1},
                     {"cv7", 2 * c, a->out, 1, 1, 1});
}

static ptq_status make_downc(cfg_builder *b, module *m, const cfg_args *a)
{
    int stride = 0, half = a->out / 2;
    PTQ_TRY(arg_int(b, a, 0, 2, &stride));
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, a->in, 1, 1, 1}, {"cv2", a->in, half, 3, stride, 1},
                      {"cv3", a->in, half, 1, 1, 1}));
    return add_pool(b, m, "mp", stride, stride, 0);
}

static ptq_status make_stem(cfg_builder *b, module *m, const cfg_args *a)
{
    int c = a->out / 2;
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, c, 3, 2, 1}, {"cv2", c, c, 1, 1, 1},
                      {"cv3", c, c, 3, 2, 1}));
    PTQ_TRY(add_pool(b, m, "pool", 2, 2, 0));
    return ADD_CONVS(b, m, {"cv4", 2 * c, a->out, 1, 1, 1});
}

/* ---- bottlenecks and what stacks them ---- */

typedef struct bottleneck_spec {
    int in, out, groups;
    bool shortcut;
    double e; /* inner channels over output channels */
} bottleneck_spec;

static ptq_status fill_bottleneck(cfg_builder *b, module *m, const bottleneck_spec *s)
{
    int c = (int)(s->out * s->e);
    m->as.add = s->shortcut && s->in == s->out;
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", s->in, c, 1, 1, 1}));
    if (m->kind == MODULE_RES)
        return ADD_CONVS(b, m, {"cv2", c, c, 3, 1, s->groups}, {"cv3", c, s->out, 1, 1, 1});
    return ADD_CONVS(b, m, {"cv2", c, s->out, 3, 1, s->groups});
}

static ptq_status make_bottleneck(cfg_builder *b, module *m, const cfg_args *a)
{
    bottleneck_spec s = {.in = a->in, .out = a->out, .shortcut = arg_bool(a, 0, true)};
    PTQ_TRY(arg_int(b, a, 1, 1, &s.groups));
    PTQ_TRY(arg_share(b, a, 2, 0.5, &s.e));
    return fill_bottleneck(b, m, &s);
}

/* What is inside a CSP block, and its defaults. */
static const struct csp {
    const char *type;
    const char *inner;
    bool shortcut;
    int groups;
    double inner_e;
} CSPS[] = {
    {"BottleneckCSPA", "Bottleneck", true, 1, 1.0},
    {"BottleneckCSPB", "Bottleneck", false, 1, 1.0},
    {"BottleneckCSPC", "Bottleneck", true, 1, 1.0},
    {"C3", "Bottleneck", true, 1, 1.0},
    {"ResCSPA", "Res", true, 1, 0.5},
    {"ResCSPB", "Res", true, 1, 0.5},
    {"ResCSPC", "Res", true, 1, 0.5},
    {"ResXCSPA", "Res", true, 32, 1.0},
    {"ResXCSPB", "Res", true, 32, 1.0},
    {"ResXCSPC", "Res", true, 32, 1.0},
};

static ptq_status make_csp(cfg_builder *b, module *m, const cfg_args *a)
{
    const struct csp *csp = CSPS;
    while (strcmp(csp->type, m->type) != 0)
        csp++;
    bottleneck_spec inner = {.shortcut = arg_bool(a, 0, csp->shortcut), .e = csp->inner_e};
    double e;
    PTQ_TRY(arg_int(b, a, 1, csp->groups, &inner.groups));
    PTQ_TRY(arg_share(b, a, 2, 0.5, &e));
    bool is_b = m->kind == MODULE_CSP_B;
    int c = is_b ? a->out : (int)(a->out * e);
    PTQ_TRY(ADD_CONVS(b, m, {"cv1", a->in, c, 1, 1, 1}, {"cv2", is_b ? c : a->in, c, 1, 1, 1}));
    if (m->kind == MODULE_CSP_C)
        PTQ_TRY(ADD_CONVS(b, m, {"cv3", c, c, 1, 1, 1}, {"cv4", 2 * c, a->out, 1, 1, 1}));
    else
        PTQ_TRY(ADD_CONVS(b, m, {"cv3", 2 * c, a->out, 1, 1, 1}));
    module *list = NULL;
    PTQ_TRY(cfg_add(b, m, "nn.Sequential", "m", &list));
    inner.in = inner.out = c;
    for (int i = 0; i < a->repeats; i++) {
        char name[16];
        module *part = NULL;
        snprintf(name, sizeof name, "%d", i);
        PTQ_TRY(cfg_add(b, list, csp->inner, name, &part));
        PTQ_TRY(fill_bottleneck(b, part, &inner));
    }
    return PTQ_OK;
}

/* ---- heads ---- */

/* A list of 1x1 convolutions for inputs first .. first+n-1, with bias. */
static ptq_status add_head_convs(cfg_builder *b, module *m, const char *name, const cfg_args *a,
                                 int first)
{
    const module_head *h = m->as.head;
    module *list = NULL;
    PTQ_TRY(cfg_add(b, m, "nn.ModuleList", name, &list));
    for (int i = 0; i < h->n_levels; i++) {
        char number[16];
        conv_spec s = {
            a->inputs[first + i], h->n_anchors * (5 + h->n_classes), {1, 1}, 1, 0, 1, NULL};
        snprintf(number, sizeof number, "%d", i);
        PTQ_TRY(add_conv2d(b, list, number, &s, true));
    }
    return PTQ_OK;
}

static ptq_status add_implicits(cfg_builder *b, module *m, bool is_m, const cfg_args *a)
{
    const module_head *h = m->as.head;
    module *list = NULL, *part = NULL;
    PTQ_TRY(cfg_add(b, m, "nn.ModuleList", is_m ? "im" : "ia", &list));
    for (int i = 0; i < h->n_levels; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        PTQ_TRY(cfg_add(b, list, is_m ? "ImplicitM" : "ImplicitA", number, &part));
        part->as.channels = is_m ? h->n_anchors * (5 + h->n_classes) : a->inputs[i];
    }
    return PTQ_OK;
}

static ptq_status make_head(cfg_builder *b, module *m, const cfg_args *a)
{
    bool is_aux = strcmp(m->type, "IAuxDetect") == 0;
    *m->as.head = b->head;
    PTQ_TRY(arg_int(b, a, 0, b->head.n_classes, &m->as.head->n_classes));
    int n = m->as.head->n_levels, needed = is_aux ? 2 * n : n;
    if (m->as.head->n_classes < 1)
        return cfg_error(b, "a head for no classes");
    if (arg_at(a, 1)->kind != CFG_TEXT || strcmp(arg_at(a, 1)->text, "anchors") != 0)
        return cfg_error(b, "a head needs the arguments [nc, anchors]");
    if (a->n_inputs != needed)
        return cfg_error(b, "the head has %d inputs, but the anchors are for %d levels",
                         a->n_inputs, n);
    PTQ_TRY(add_head_convs(b, m, "m", a, 0));
    if (is_aux)
        PTQ_TRY(add_head_convs(b, m, "m2", a, n));
    if (strcmp(m->type, "Detect") == 0)
        return PTQ_OK;
    PTQ_TRY(add_implicits(b, m, false, a));
    return add_implicits(b, m, true, a);
}

static const cfg_type TYPES[] = {
    {"Conv", "Conv", true, false, make_conv},
    {"DWConv", "Conv", true, false, make_dwconv},
    {"RepConv", "RepConv", true, false, make_rep_conv},
    {"Focus", "Focus", true, false, make_focus},
    {"SPP", "SPP", true, false, make_spp},
    {"SPPF", "SPPF", true, false, make_sppf},
    {"SPPCSPC", "SPPCSPC", true, true, make_sppcspc},
    {"DownC", "DownC", true, true, make_downc},
    {"Stem", "Stem", true, false, make_stem},
    {"Bottleneck", "Bottleneck", true, false, make_bottleneck},
    {"Res", "Res", true, false, make_bottleneck},
    {"C3", "C3", true, true, make_csp},
    {"BottleneckCSPA", "BottleneckCSPA", true, true, make_csp},
    {"BottleneckCSPB", "BottleneckCSPB", true, true, make_csp},
    {"BottleneckCSPC", "BottleneckCSPC", true, true, make_csp},
    {"ResCSPA", "ResCSPA", true, true, make_csp},
    {"ResCSPB", "ResCSPB", true, true, make_csp},
    {"ResCSPC", "ResCSPC", true, true, make_csp},
    {"ResXCSPA", "ResXCSPA", true, true, make_csp},
    {"ResXCSPB", "ResXCSPB", true, true, make_csp},
    {"ResXCSPC", "ResXCSPC", true, true, make_csp},
    {"MP", "MP", false, false, make_mp},
    {"SP", "SP", false, false, make_sp},
    {"Concat", "Concat", false, false, make_axis},
    {"Chuncat", "Chuncat", false, false, make_axis},
    {"Foldcut", "Foldcut", false, false, make_axis},
    {"Shortcut", "Shortcut", false, false, make_nothing},
    {"ReOrg", "ReOrg", false, false, make_nothing},
    {"nn.Upsample", "nn.Upsample", false, false, make_upsample},
    {"Detect", "Detect", false, false, make_head},
    {"IDetect", "IDetect", false, false, make_head},
    {"IAuxDetect", "IAuxDetect", false, false, make_head},
};

const cfg_type *cfg_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(TYPES[i].name, name) == 0)
            return &TYPES[i];
    return NULL;
}

ptq_status cfg_make(cfg_builder *b, const cfg_type *type, module *parent, const char *name,
                    const cfg_args *a)
{
    module *m = NULL;
    PTQ_TRY(cfg_add(b, parent, type->module_type, name, &m));
    return type->make(b, m, a);
}
