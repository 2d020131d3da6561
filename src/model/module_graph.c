/* SPDX-License-Identifier: Apache-2.0 */
#include "model/module_graph.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/module_build.h"
#include "model/module_weights.h"

/* Shapes are checked at this size while the graph is made; a multiple of every stride. */
enum { PROBE_SIZE = 256, MAX_CHAIN = 8, SHELF_BYTES = 32 << 20 };

ptq_status build_name(builder *b, const module *m, const char *suffix, const char **name)
{
    *name = arena_printf(b->names, "%s.%s", m->path, suffix);
    return *name ? PTQ_OK : error_no_memory(b->err, strlen(m->path), "a name");
}

ptq_status build_op(builder *b, const op_desc *d, tensor_id *y)
{
    if (!d->name)
        return error_no_memory(b->err, 0, "a name");
    const char *out = d->out ? d->out : arena_printf(b->names, "%s.out", d->name);
    if (!out)
        return error_no_memory(b->err, strlen(d->name), "a name");
    return graph_add_op(b->g, d->op, d->name, d->n, d->x, d->attr, out, y, b->err);
}

ptq_status build_cat(builder *b, const module *m, const tensor_id *x, int n, tensor_id *y)
{
    op_desc d = {.op = GRAPH_OP_CONCAT, .n = n, .x = x, .attr = &(op_attr){.axis = {.axis = 1}}};
    PTQ_TRY(build_name(b, m, "cat", &d.name));
    d.name = graph_unique_name(b->g, d.name);
    return d.name ? build_op(b, &d, y) : error_no_memory(b->err, 0, "a name");
}

ptq_status build_add(builder *b, const module *m, const tensor_id x[2], const char *out,
                     tensor_id *y)
{
    op_desc d = {.op = GRAPH_OP_ADD, .n = 2, .x = x, .out = out};
    PTQ_TRY(build_name(b, m, "add", &d.name));
    d.name = graph_unique_name(b->g, d.name);
    return d.name ? build_op(b, &d, y) : error_no_memory(b->err, 0, "a name");
}

/* ---- weights ---- */

/* Weights lie together: few large pages are had sooner than many small ones. */
static blob *take_room(builder *b, size_t bytes)
{
    size_t room = blob_slice_bytes(bytes);
    if (!b->shelf || blob_size(b->shelf) - b->shelf_used < room) {
        blob *shelf = blob_create_unset(room > SHELF_BYTES ? room : SHELF_BYTES);
        if (!shelf)
            return NULL;
        blob_unref(&b->shelf);
        b->shelf = shelf;
        b->shelf_used = 0;
    }
    blob *data = blob_slice(b->shelf, b->shelf_used, bytes);
    b->shelf_used += room;
    return data;
}

static ptq_status read_param(builder *b, const module *m, const pt_entry *e, size_t count,
                             blob **out)
{
    size_t bytes;
    if (!mem_mul(count, sizeof(float), &bytes) || bytes > b->bytes_left)
        return error_set(b->err, PTQ_LIMIT, "the weights of '%s' are larger than the limit",
                         m->path);
    b->bytes_left -= bytes;
    blob *data = take_room(b, bytes);
    if (!data)
        return error_no_memory(b->err, bytes, m->path);
    float *values = blob_data(data);
    float neutral = strcmp(m->type, "ImplicitM") == 0 ? 1.0f : 0.0f;
    ptq_status status = e ? pt_state_read(b->weights, e, values, b->err) : PTQ_OK;
    for (size_t i = 0; i < count && !e; i++)
        values[i] = neutral;
    if (status == PTQ_OK)
        *out = data;
    else
        blob_unref(&data);
    return status;
}

ptq_status build_param(builder *b, const module *m, const module_param *p, tensor_id *id)
{
    const char *name;
    PTQ_TRY(build_name(b, m, p->name, &name));
    shape s = shape_make(p->rank, p->dims);
    size_t count;
    const pt_entry *e = pt_state_find(b->weights, name);
    if (!shape_count(&s, &count) || (e && (size_t)e->tensor->n_elements != count))
        return error_set(b->err, PTQ_FORMAT, "tensor '%s' has an impossible size", name);
    blob *data = NULL;
    PTQ_TRY(read_param(b, m, e, count, &data));
    ptq_status status = graph_add_const(b->g, name, DTYPE_F32, &s, data, id, b->err);
    blob_unref(&data);
    return status;
}

/* ---- modules that are one operator ---- */

static ptq_status build_conv2d(builder *b, const module *m, tensor_id x, const char *out,
                               tensor_id *y)
{
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    tensor_id inputs[3] = {x, TENSOR_NONE, TENSOR_NONE};
    for (int i = 0; i < n; i++)
        PTQ_TRY(build_param(b, m, &params[i], &inputs[i + 1]));
    op_attr attr = {.conv = m->as.conv.attr};
    return build_op(b, &(op_desc){GRAPH_OP_CONV, m->path, n + 1, inputs, &attr, out}, y);
}

static ptq_status build_batch_norm(builder *b, const module *m, tensor_id x, const char *out,
                                   tensor_id *y)
{
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    tensor_id inputs[MODULE_MAX_PARAMS + 1] = {x};
    for (int i = 0; i < n; i++)
        PTQ_TRY(build_param(b, m, &params[i], &inputs[i + 1]));
    op_attr attr = {.batch_norm = {.epsilon = m->as.norm.epsilon}};
    return build_op(b, &(op_desc){GRAPH_OP_BATCH_NORM, m->path, n + 1, inputs, &attr, out}, y);
}

static ptq_status build_activation(builder *b, const module *m, tensor_id x, const char *out,
                                   tensor_id *y)
{
    static const graph_op ops[] = {
        [ACT_NONE] = GRAPH_OP_IDENTITY,   [ACT_SILU] = GRAPH_OP_SILU,
        [ACT_RELU] = GRAPH_OP_RELU,       [ACT_LEAKY_RELU] = GRAPH_OP_LEAKY_RELU,
        [ACT_SIGMOID] = GRAPH_OP_SIGMOID, [ACT_HARD_SWISH] = GRAPH_OP_HARD_SWISH,
        [ACT_TANH] = GRAPH_OP_TANH,
    };
    op_attr attr = {.slope = {.alpha = m->as.act.alpha}};
    return build_op(b, &(op_desc){ops[m->as.act.kind], m->path, 1, &x, &attr, out}, y);
}

static ptq_status build_implicit(builder *b, const module *m, tensor_id x, const char *out,
                                 tensor_id *y)
{
    module_param param[MODULE_MAX_PARAMS];
    tensor_id inputs[2] = {x, TENSOR_NONE};
    module_params(m, param);
    PTQ_TRY(build_param(b, m, param, &inputs[1]));
    graph_op op = strcmp(m->type, "ImplicitM") == 0 ? GRAPH_OP_MUL : GRAPH_OP_ADD;
    return build_op(b, &(op_desc){op, m->path, 2, inputs, NULL, out}, y);
}

ptq_status build_module(builder *b, const module *m, tensor_id x, const char *out, tensor_id *y)
{
    op_attr attr;
    switch (m->kind) {
    case MODULE_CONV2D:
        return build_conv2d(b, m, x, out, y);
    case MODULE_BATCH_NORM:
        return build_batch_norm(b, m, x, out, y);
    case MODULE_ACTIVATION:
        return build_activation(b, m, x, out, y);
    case MODULE_MAX_POOL:
        attr.pool = m->as.pool;
        return build_op(b, &(op_desc){GRAPH_OP_MAX_POOL, m->path, 1, &x, &attr, out}, y);
    case MODULE_UPSAMPLE:
        attr.resize = m->as.resize;
        return build_op(b, &(op_desc){GRAPH_OP_RESIZE, m->path, 1, &x, &attr, out}, y);
    case MODULE_REORG:
        attr.space.block = 2;
        return build_op(b, &(op_desc){GRAPH_OP_SPACE_TO_DEPTH, m->path, 1, &x, &attr, out}, y);
    case MODULE_IMPLICIT:
        return build_implicit(b, m, x, out, y);
    default:
        return build_block(b, m, x, out, y);
    }
}

/* ---- chains ---- */

static bool computes_nothing(const module *m)
{
    if (m->kind == MODULE_IDENTITY || m->kind == MODULE_QUANTIZER)
        return true;
    for (int i = 0; i < m->n_parts && m->kind == MODULE_SEQUENTIAL; i++)
        if (!computes_nothing(m->parts[i]))
            return false;
    return m->kind == MODULE_SEQUENTIAL;
}

ptq_status build_sequence(builder *b, module *const *parts, int n, tensor_id x, named_value *v)
{
    int last = n - 1;
    while (last >= 0 && (!parts[last] || computes_nothing(parts[last])))
        last--;
    for (int i = 0; i <= last; i++)
        if (parts[i])
            PTQ_TRY(build_module(b, parts[i], x, i == last ? v->name : NULL, &x));
    v->id = x;
    return PTQ_OK;
}

ptq_status build_chain(builder *b, const module *m, const char *parts, tensor_id x, const char *out,
                       tensor_id *y)
{
    module *chain[MAX_CHAIN];
    int n = 0;
    for (const char *p = parts; *p && n < MAX_CHAIN;) {
        size_t length = strcspn(p, " ");
        bool is_optional = p[length - 1] == '?';
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)(length - is_optional), p);
        chain[n] = module_part(m, name);
        if (!chain[n++] && !is_optional)
            return error_set(b->err, PTQ_FORMAT, "module '%s' (%s) has no part '%s'", m->path,
                             m->type, name);
        p += length + strspn(p + length, " ");
    }
    named_value v = {out, TENSOR_NONE};
    PTQ_TRY(build_sequence(b, chain, n, x, &v));
    *y = v.id;
    return PTQ_OK;
}

/* ---- layers ---- */

/* Both halves along an axis. */
static ptq_status split(builder *b, const module *m, int index, tensor_id x, tensor_id y[2])
{
    shape unknown = {.rank = 1, .dim = {-1}};
    node desc = {.op = GRAPH_OP_SPLIT,
                 .n_inputs = 1,
                 .inputs = &x,
                 .n_outputs = 2,
                 .outputs = y,
                 .attr = {.axis = {.axis = m->as.axis}}};
    desc.name = arena_printf(b->names, "%s.split.%d", m->path, index);
    for (int i = 0; i < 2; i++) {
        const char *name = arena_printf(b->names, "%s.split.%d.%d", m->path, index, i);
        if (!name || !desc.name)
            return error_no_memory(b->err, strlen(m->path), "a name");
        PTQ_TRY(graph_add_tensor(b->g, name, DTYPE_F32, &unknown, &y[i], b->err));
    }
    return graph_add_node(b->g, &desc, NULL, b->err);
}

/* Chuncat: all first halves, then all second halves. */
static ptq_status build_chuncat(builder *b, const module *m, const tensor_id *x, const char *out,
                                tensor_id *y)
{
    int n = m->n_from;
    tensor_id *halves = mem_array(2 * (size_t)n, sizeof *halves);
    if (!halves)
        return error_no_memory(b->err, 2 * (size_t)n * sizeof *halves, "a layer");
    ptq_status status = PTQ_OK;
    for (int i = 0; i < n && status == PTQ_OK; i++) {
        tensor_id half[2];
        status = split(b, m, i, x[i], half);
        halves[i] = half[0];
        halves[n + i] = half[1];
    }
    op_attr attr = {.axis = {.axis = m->as.axis}};
    op_desc d = {GRAPH_OP_CONCAT, m->path, 2 * n, halves, &attr, out};
    if (status == PTQ_OK)
        status = build_op(b, &d, y);
    mem_free(halves);
    return status;
}

static ptq_status build_foldcut(builder *b, const module *m, tensor_id x, const char *out,
                                tensor_id *y)
{
    tensor_id half[2];
    PTQ_TRY(split(b, m, 0, x, half));
    return build_op(b, &(op_desc){GRAPH_OP_ADD, m->path, 2, half, NULL, out}, y);
}

static ptq_status build_layer(builder *b, const module *m, const tensor_id *x, const char *out,
                              tensor_id *y)
{
    op_attr attr = {.axis = {.axis = m->kind == MODULE_CONCAT ? m->as.axis : 1}};
    switch (m->kind) {
    case MODULE_CONCAT:
        return build_op(b, &(op_desc){GRAPH_OP_CONCAT, m->path, m->n_from, x, &attr, out}, y);
    case MODULE_CHUNCAT:
        return build_chuncat(b, m, x, out, y);
    case MODULE_FOLDCUT:
        return build_foldcut(b, m, x[0], out, y);
    case MODULE_SHORTCUT:
        if (m->n_from < 2)
            return error_set(b->err, PTQ_FORMAT, "layer '%s' (%s) has one input", m->path, m->type);
        return build_op(b, &(op_desc){GRAPH_OP_ADD, m->path, 2, x, NULL, out}, y);
    case MODULE_HEAD:
        return build_head(b, m, x, "output", y);
    default:
        return build_module(b, m, x[0], out, y);
    }
}

/* The layers that the head depends on; outputs[i] is layer i's tensor. */
static ptq_status build_layers(builder *b, tensor_id images, const bool *is_live,
                               tensor_id *outputs)
{
    const module *layers = b->net->layers;
    tensor_id *x = NULL;
    ptq_status status = PTQ_OK;
    for (int i = 0; i < layers->n_parts && status == PTQ_OK; i++) {
        const module *m = layers->parts[i];
        if (!is_live[i])
            continue;
        tensor_id *grown = mem_resize(x, (size_t)m->n_from, sizeof *x);
        if (!grown) {
            status = error_no_memory(b->err, (size_t)m->n_from * sizeof *x, "a layer");
            break;
        }
        x = grown;
        for (int k = 0; k < m->n_from; k++) /* those of auxiliary levels are not there */
            x[k] = m->from[k] < 0 ? images : outputs[m->from[k]];
        status = build_layer(b, m, x, m->path, &outputs[i]);
    }
    mem_free(x);
    return status;
}

static ptq_status build_all(builder *b)
{
    size_t n = (size_t)b->net->layers->n_parts;
    bool *is_live = mem_array(n, sizeof *is_live);
    tensor_id *outputs = mem_array(n, sizeof *outputs);
    ptq_status status = error_no_memory(b->err, n * sizeof *outputs, "a list of layers");
    tensor_id images;
    shape any = shape4(-1, b->net->in_channels, -1, -1);
    if (!is_live || !outputs)
        goto done;
    for (size_t i = 0; i < n; i++)
        outputs[i] = TENSOR_NONE;
    network_find_live(b->net, is_live);
    status = graph_add_tensor(b->g, "images", DTYPE_F32, &any, &images, b->err);
    if (status == PTQ_OK)
        status = graph_add_input(b->g, images, b->err);
    if (status != PTQ_OK)
        goto done;
    graph_tensor(b->g, images)->shape = shape4(1, b->net->in_channels, PROBE_SIZE, PROBE_SIZE);
    status = build_layers(b, images, is_live, outputs);
    if (status == PTQ_OK)
        status = graph_add_output(b->g, outputs[n - 1], b->err);
    for (int i = 0; i < graph_n_tensors(b->g); i++) { /* the probe's size is nobody's business */
        tensor *t = graph_tensor(b->g, (tensor_id)i);
        if (t->is_dynamic)
            t->shape = (shape){.rank = 1, .dim = {-1}};
    }
    graph_tensor(b->g, images)->shape = any;
done:
    mem_free(is_live);
    mem_free(outputs);
    return status;
}

ptq_status network_to_graph(network *n, pt_state *weights, size_t max_bytes, graph **out,
                            ptq_error *err)
{
    builder b = {.net = n, .weights = weights, .bytes_left = max_bytes, .err = err};
    b.names = arena_create(0);
    if (!b.names)
        return error_no_memory(err, 0, "names");
    ptq_status status = graph_create(&b.g, err);
    if (status == PTQ_OK)
        status = build_all(&b);
    if (status == PTQ_OK)
        status = graph_prune(b.g, err);
    if (status == PTQ_OK)
        status = graph_verify(b.g, err);
    if (status == PTQ_OK)
        *out = b.g;
    else
        graph_destroy(b.g);
    blob_unref(&b.shelf);
    arena_destroy(b.names);
    return status;
}
