/* SPDX-License-Identifier: Apache-2.0 */
/* Modules made of other modules. Spec: model.md §3, whose table these functions follow. */
#include <string.h>

#include "model/module_build.h"

enum { MAX_POOLS = 15 };

/* act(dense(x) + 1x1(x) + identity(x)), or act(rbr_reparam(x)) where that was fused already. */
static ptq_status build_rep_conv(builder *b, const module *m, tensor_id x, const char *out,
                                 tensor_id *y)
{
    if (module_part(m, "rbr_reparam"))
        return build_chain(b, m, "rbr_reparam act?", x, out, y);
    static const char *const branches[] = {"rbr_dense", "rbr_1x1", "rbr_identity"};
    const module *act = module_part(m, "act");
    bool has_act = act && act->kind != MODULE_IDENTITY;
    bool has_identity = module_part(m, "rbr_identity") != NULL;
    tensor_id sum[2];
    PTQ_TRY(build_chain(b, m, branches[0], x, NULL, &sum[0]));
    for (int i = 1; i < 2 + has_identity; i++) {
        bool is_last = i == 1 + has_identity && !has_act;
        PTQ_TRY(build_chain(b, m, branches[i], x, NULL, &sum[1]));
        PTQ_TRY(build_add(b, m, sum, is_last ? out : NULL, &sum[0]));
    }
    return build_chain(b, m, "act?", sum[0], out, y);
}

static ptq_status build_focus(builder *b, const module *m, tensor_id x, const char *out,
                              tensor_id *y)
{
    op_attr attr = {.space = {.block = 2}};
    op_desc d = {.op = GRAPH_OP_SPACE_TO_DEPTH, .n = 1, .x = &x, .attr = &attr};
    PTQ_TRY(build_name(b, m, "space", &d.name));
    PTQ_TRY(build_op(b, &d, &x));
    return build_chain(b, m, "conv", x, out, y);
}

/* cat(x, m.0(x), m.1(x), ...) */
static ptq_status build_pools(builder *b, const module *m, tensor_id x, tensor_id *y)
{
    const module *pools = module_part(m, "m");
    tensor_id all[MAX_POOLS + 1] = {x};
    if (!pools || pools->kind != MODULE_LIST || pools->n_parts > MAX_POOLS)
        return error_set(b->err, PTQ_FORMAT, "module '%s' (%s) has no pools, or more than %d",
                         m->path, m->type, MAX_POOLS);
    for (int i = 0; i < pools->n_parts; i++)
        PTQ_TRY(build_module(b, pools->parts[i], x, NULL, &all[i + 1]));
    return build_cat(b, m, all, pools->n_parts + 1, y);
}

static ptq_status build_spp(builder *b, const module *m, tensor_id x, const char *out, tensor_id *y)
{
    PTQ_TRY(build_chain(b, m, "cv1", x, NULL, &x));
    PTQ_TRY(build_pools(b, m, x, &x));
    return build_chain(b, m, "cv2", x, out, y);
}

/* One pool three times over: each use is a node of its own. */
static ptq_status build_sppf(builder *b, const module *m, tensor_id x, const char *out,
                             tensor_id *y)
{
    const module *pool = module_part(m, "m");
    tensor_id all[4];
    if (!pool || pool->kind != MODULE_MAX_POOL)
        return error_set(b->err, PTQ_FORMAT, "module '%s' (%s) has no pool", m->path, m->type);
    PTQ_TRY(build_chain(b, m, "cv1", x, NULL, &all[0]));
    for (int i = 1; i < 4; i++) {
        op_attr attr = {.pool = pool->as.pool};
        op_desc d = {.op = GRAPH_OP_MAX_POOL, .n = 1, .x = &all[i - 1], .attr = &attr};
        d.name = i == 1 ? pool->path : arena_printf(b->names, "%s_%d", pool->path, i - 1);
        if (!d.name)
            return error_no_memory(b->err, strlen(m->path), "a name");
        PTQ_TRY(build_op(b, &d, &all[i]));
    }
    PTQ_TRY(build_cat(b, m, all, 4, &x));
    return build_chain(b, m, "cv2", x, out, y);
}

static ptq_status build_sppcspc(builder *b, const module *m, tensor_id x, const char *out,
                                tensor_id *y)
{
    tensor_id both[2];
    PTQ_TRY(build_chain(b, m, "cv1 cv3 cv4", x, NULL, &both[0]));
    PTQ_TRY(build_pools(b, m, both[0], &both[0]));
    PTQ_TRY(build_chain(b, m, "cv5 cv6", both[0], NULL, &both[0]));
    PTQ_TRY(build_chain(b, m, "cv2", x, NULL, &both[1]));
    PTQ_TRY(build_cat(b, m, both, 2, &x));
    return build_chain(b, m, "cv7", x, out, y);
}

/* cat(cv2(cv1 x), cv3(mp x)); the concatenation is the module's own output. */
static ptq_status build_downc(builder *b, const module *m, tensor_id x, const char *out,
                              tensor_id *y)
{
    tensor_id both[2];
    PTQ_TRY(build_chain(b, m, "cv1 cv2", x, NULL, &both[0]));
    PTQ_TRY(build_chain(b, m, "mp cv3", x, NULL, &both[1]));
    op_attr attr = {.axis = {.axis = 1}};
    op_desc d = {.op = GRAPH_OP_CONCAT, .n = 2, .x = both, .attr = &attr, .out = out};
    PTQ_TRY(build_name(b, m, "cat", &d.name));
    return build_op(b, &d, y);
}

static ptq_status build_stem(builder *b, const module *m, tensor_id x, const char *out,
                             tensor_id *y)
{
    tensor_id both[2];
    PTQ_TRY(build_chain(b, m, "cv1", x, NULL, &x));
    PTQ_TRY(build_chain(b, m, "cv2 cv3", x, NULL, &both[0]));
    PTQ_TRY(build_chain(b, m, "pool", x, NULL, &both[1]));
    PTQ_TRY(build_cat(b, m, both, 2, &x));
    return build_chain(b, m, "cv4", x, out, y);
}

static ptq_status build_bottleneck(builder *b, const module *m, tensor_id x, const char *out,
                                   tensor_id *y)
{
    const char *parts = m->kind == MODULE_RES ? "cv1 cv2 cv3" : "cv1 cv2";
    if (!m->as.add)
        return build_chain(b, m, parts, x, out, y);
    tensor_id both[2] = {x, TENSOR_NONE};
    PTQ_TRY(build_chain(b, m, parts, x, NULL, &both[1]));
    return build_add(b, m, both, out, y);
}

static ptq_status build_csp(builder *b, const module *m, tensor_id x, const char *out, tensor_id *y)
{
    tensor_id both[2];
    const char *first = "cv1 m", *last = "cv3";
    if (m->kind == MODULE_CSP_B) {
        PTQ_TRY(build_chain(b, m, "cv1", x, NULL, &x));
        first = "m";
    } else if (m->kind == MODULE_CSP_C) {
        first = "cv1 m cv3";
        last = "cv4";
    } else if (m->kind == MODULE_BOTTLENECK_CSP) {
        first = "cv1 m cv3";
        last = "bn act? cv4";
    }
    PTQ_TRY(build_chain(b, m, first, x, NULL, &both[0]));
    PTQ_TRY(build_chain(b, m, "cv2", x, NULL, &both[1]));
    PTQ_TRY(build_cat(b, m, both, 2, &x));
    return build_chain(b, m, last, x, out, y);
}

static ptq_status build_sequential(builder *b, const module *m, tensor_id x, const char *out,
                                   tensor_id *y)
{
    named_value v = {out, TENSOR_NONE};
    PTQ_TRY(build_sequence(b, m->parts, m->n_parts, x, &v));
    *y = v.id;
    return PTQ_OK;
}

ptq_status build_block(builder *b, const module *m, tensor_id x, const char *out, tensor_id *y)
{
    switch (m->kind) {
    case MODULE_IDENTITY:
    case MODULE_QUANTIZER:
        *y = x;
        return PTQ_OK;
    case MODULE_SEQUENTIAL:
        return build_sequential(b, m, x, out, y);
    case MODULE_CONV:
        return build_chain(b, m, "conv bn? act?", x, out, y);
    case MODULE_REP_CONV:
        return build_rep_conv(b, m, x, out, y);
    case MODULE_POOL:
        return build_chain(b, m, "m", x, out, y);
    case MODULE_FOCUS:
        return build_focus(b, m, x, out, y);
    case MODULE_SPP:
        return build_spp(b, m, x, out, y);
    case MODULE_SPPF:
        return build_sppf(b, m, x, out, y);
    case MODULE_SPPCSPC:
        return build_sppcspc(b, m, x, out, y);
    case MODULE_DOWNC:
        return build_downc(b, m, x, out, y);
    case MODULE_STEM:
        return build_stem(b, m, x, out, y);
    case MODULE_BOTTLENECK:
    case MODULE_RES:
        return build_bottleneck(b, m, x, out, y);
    case MODULE_CSP_A:
    case MODULE_CSP_B:
    case MODULE_CSP_C:
    case MODULE_BOTTLENECK_CSP:
        return build_csp(b, m, x, out, y);
    default:
        return error_set(b->err, PTQ_UNSUPPORTED, "module '%s' (%s) stands where it cannot compute",
                         m->path, m->type);
    }
}
