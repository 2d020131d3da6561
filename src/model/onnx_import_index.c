/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that gather and scatter element by element, triangles, running and Einstein sums. */
#include <inttypes.h>
#include <string.h>

#include "model/onnx_importer.h"

ptq_status onnx_read_trilu(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t upper;
    PTQ_TRY(onnx_attr_int(src, "upper", 1, &upper, err));
    n->attr.triangle.keep_lower = !upper;
    return PTQ_OK;
}

ptq_status onnx_read_cum_sum(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t exclusive, reverse;
    PTQ_TRY(onnx_attr_int(src, "exclusive", 0, &exclusive, err));
    PTQ_TRY(onnx_attr_int(src, "reverse", 0, &reverse, err));
    n->attr.running.exclusive = exclusive != 0;
    n->attr.running.reverse = reverse != 0;
    return PTQ_OK;
}

static ptq_status read_axis(const Onnx__NodeProto *src, const char *name, int64_t fallback,
                            int *out, ptq_error *err)
{
    int64_t axis;
    PTQ_TRY(onnx_attr_int(src, name, fallback, &axis, err));
    if (axis < -SHAPE_MAX_RANK || axis >= SHAPE_MAX_RANK)
        return error_set(err, PTQ_FORMAT, "attribute '%s' is %" PRId64, name, axis);
    *out = (int)axis;
    return PTQ_OK;
}

ptq_status onnx_read_gather_nd(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    (void)im;
    return read_axis(src, "batch_dims", 0, &n->attr.axis.axis, err);
}

ptq_status onnx_read_scatter(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    static const char *const choices[] = {"none", "add", "mul", "max", "min", NULL};
    static const scatter_kind kinds[] = {SCATTER_SET, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX,
                                         SCATTER_MIN};
    int choice;
    PTQ_TRY(onnx_attr_choice(src, "reduction", choices, 0, &choice, err));
    n->attr.scatter.kind = kinds[choice];
    return read_axis(src, "axis", 0, &n->attr.scatter.axis, err);
}

ptq_status onnx_read_one_hot(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    return read_axis(src, "axis", -1, &n->attr.axis.axis, err);
}

ptq_status onnx_read_einsum(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    const Onnx__AttributeProto *a = onnx_attr(src, "equation");
    char *to = n->attr.einsum.equation, *end = to + sizeof n->attr.einsum.equation - 1;
    if (!a || !a->has_s)
        return error_set(err, PTQ_FORMAT, "attribute 'equation' is missing");
    if (n->n_inputs > 2)
        return error_set(err, PTQ_UNSUPPORTED, "it multiplies %d tensors, at most 2 are supported",
                         n->n_inputs);
    for (size_t i = 0; i < a->s.len; i++) {
        if (a->s.data[i] == ' ')
            continue;
        if (to == end || a->s.data[i] < ' ' || a->s.data[i] > '~')
            return error_set(err, PTQ_FORMAT, "attribute 'equation' is too long or no text");
        *to++ = (char)a->s.data[i];
    }
    *to = 0;
    return PTQ_OK;
}

ptq_status onnx_read_suppression(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                 ptq_error *err)
{
    (void)im;
    int64_t centre;
    PTQ_TRY(onnx_attr_int(src, "center_point_box", 0, &centre, err));
    n->attr.suppression.is_centre = centre != 0;
    return PTQ_OK;
}
