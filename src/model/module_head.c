/* SPDX-License-Identifier: Apache-2.0 */
/* The detection head: per level a 1x1 convolution (between ImplicitA and ImplicitM in YOLOv7's
 * IDetect) and the decoding; then all levels in one tensor. Spec: model.md §5. */
#include <string.h>

#include "model/module_build.h"

/* A stored number, or NULL: absent or of another size. */
static const pt_entry *find_anchors(builder *b, const module *m, const char *suffix)
{
    const module_head *h = m->as.head;
    const char *name = arena_printf(b->names, "%s.%s", m->path, suffix);
    const pt_entry *e = name ? pt_state_find(b->weights, name) : NULL;
    bool fits = e && e->tensor->n_elements == (int64_t)h->n_levels * h->n_anchors * 2;
    return fits ? e : NULL;
}

/* The official check_anchor_order, on the config's anchors: from small to large as the strides. */
static void order_anchors(module_head *h)
{
    int last = h->n_levels - 1, per_level = 2 * h->n_anchors;
    const float *a = h->anchors[0], *z = h->anchors[last] + per_level - 2;
    float areas = z[0] * z[1] - a[0] * a[1], strides = h->stride[last] - h->stride[0];
    bool is_ordered = (areas > 0) == (strides > 0) && (areas < 0) == (strides < 0);
    for (int low = 0, high = last; low < high && !is_ordered; low++, high--)
        for (int i = 0; i < per_level; i++) {
            float value = h->anchors[low][i];
            h->anchors[low][i] = h->anchors[high][i];
            h->anchors[high][i] = value;
        }
}

/* Anchors in pixels, from the first of: the buffer `anchors`, in units of the stride; the buffer
 * `anchor_grid`, in pixels (YOLOv5 stopped to keep it up to date); the config. The buffers win over
 * the config because the weights were trained with them. */
static ptq_status read_anchors(builder *b, const module *m)
{
    module_head *h = m->as.head;
    float values[MODULE_MAX_LEVELS * MODULE_MAX_ANCHORS * 2];
    int per_level = 2 * h->n_anchors;
    const pt_entry *units = find_anchors(b, m, "anchors");
    const pt_entry *e = units ? units : find_anchors(b, m, "anchor_grid");
    if (!e && h->has_anchors) {
        order_anchors(h);
        return PTQ_OK;
    }
    if (!e)
        return error_set(b->err, PTQ_FORMAT, "the head '%s' (%s) has no anchors", m->path, m->type);
    PTQ_TRY(pt_state_read(b->weights, e, values, b->err));
    for (int i = 0; i < h->n_levels * per_level; i++) {
        float unit = units ? h->stride[i / per_level] : 1.0f;
        h->anchors[i / per_level][i % per_level] = values[i] * unit;
    }
    h->has_anchors = true;
    return PTQ_OK;
}

/* ia, m, im of one level: *y is what the decoding reads. */
static ptq_status build_level(builder *b, const module *m, int level, tensor_id x, tensor_id *y)
{
    static const char *const lists[] = {"ia", "m", "im"};
    for (int i = 0; i < 3; i++) {
        const module *list = module_part(m, lists[i]);
        bool is_needed = strcmp(lists[i], "m") == 0;
        if (!is_needed && (!list || m->as.head->is_fused))
            continue;
        if (!list || level >= list->n_parts)
            return error_set(b->err, PTQ_FORMAT, "the head '%s' (%s) lacks part %d of '%s'",
                             m->path, m->type, level, lists[i]);
        PTQ_TRY(build_module(b, list->parts[level], x, NULL, &x));
    }
    *y = x;
    return PTQ_OK;
}

/* The stride is the probe image's height over the level's, where the file does not tell it. */
static ptq_status find_stride(builder *b, const module *m, int level, tensor_id raw)
{
    float *stride = &m->as.head->stride[level];
    const shape *image = &graph_tensor(b->g, graph_input(b->g, 0))->shape;
    const shape *s = &graph_tensor(b->g, raw)->shape;
    if (s->rank != 4 || s->dim[2] < 1)
        return error_set(b->err, PTQ_SHAPE, "level %d of the head '%s' is no image", level,
                         m->path);
    if (*stride == 0)
        *stride = (float)image->dim[2] / (float)s->dim[2];
    return PTQ_OK;
}

static ptq_status build_decode(builder *b, const module *m, int level, tensor_id raw,
                               const char *out, tensor_id *y)
{
    const module_head *h = m->as.head;
    op_attr attr = {.decode = {.n_anchors = h->n_anchors,
                               .n_values = 5 + h->n_classes,
                               .stride = h->stride[level]}};
    shape s = {.rank = 2, .dim = {h->n_anchors, 2}};
    tensor_id inputs[2] = {raw, TENSOR_NONE};
    const char *name = arena_printf(b->names, "%s.decode.%d", m->path, level);
    const char *anchors = arena_printf(b->names, "%s.decode.%d.anchors", m->path, level);
    if (!name || !anchors)
        return error_no_memory(b->err, strlen(m->path), "a name");
    PTQ_TRY(
        graph_add_const_copy(b->g, anchors, DTYPE_F32, &s, h->anchors[level], &inputs[1], b->err));
    return build_op(b, &(op_desc){GRAPH_OP_YOLO_DECODE, name, 2, inputs, &attr, out}, y);
}

ptq_status build_head(builder *b, const module *m, const tensor_id *x, const char *out,
                      tensor_id *y)
{
    const module_head *h = m->as.head;
    int n = h->n_levels;
    tensor_id level[MODULE_MAX_LEVELS];
    if (m->n_from < n)
        return error_set(b->err, PTQ_FORMAT, "the head '%s' has %d levels but %d inputs", m->path,
                         n, m->n_from);
    for (int i = 0; i < n; i++) {
        PTQ_TRY(build_level(b, m, i, x[i], &level[i]));
        PTQ_TRY(find_stride(b, m, i, level[i]));
    }
    PTQ_TRY(read_anchors(b, m));
    for (int i = 0; i < n; i++)
        PTQ_TRY(build_decode(b, m, i, level[i], n == 1 ? out : NULL, &level[i]));
    if (n == 1) {
        *y = level[0];
        return PTQ_OK;
    }
    op_attr attr = {.axis = {.axis = 1}};
    return build_op(b, &(op_desc){GRAPH_OP_CONCAT, m->path, n, level, &attr, out}, y);
}
