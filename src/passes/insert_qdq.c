/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the quantizers of a plan into the graph as ONNX has them: scale = amax / highest code,
 * zero point 0 (spec ptq.md §4, algorithms.md §1 and §3).
 *
 *   x -> [Clip] -> Q -> DQ -> layer        one pair per tensor and scale, shared by its readers;
 *                                          on a tensor of its own right: by all readers
 *   int8 weight -> DQ -> layer             or, with float weights, weight -> Q -> DQ -> layer
 *   int32 bias -> DQ -> layer              scale = input scale * weight scale
 *
 * The Clip is there only when a quantizer has fewer codes than its type (4 bits, narrow range):
 * ONNX saturates to the type. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "passes/insert.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* Ranges below this count as zero in the original (spec algorithms.md §1). */
#define AMAX_ZERO 0x1p-24f

typedef struct pair {
    tensor_id source;
    qnode q;
    code_range range;
    tensor_id dequantized;
} pair;

typedef struct insertion {
    graph *g;
    bool float_weights;
    bool integer_bias;
    pair *pairs;
    int n_pairs;
} insertion;

/* ---------------------------------------------------------------- places and codes */

tensor_id place_tensor(const place *p)
{
    return p->node == NODE_NONE ? p->tensor : graph_node_const(p->g, p->node)->inputs[p->input];
}

const char *place_owner(const place *p)
{
    return p->node == NODE_NONE ? graph_tensor_const(p->g, p->tensor)->name
                                : graph_node_const(p->g, p->node)->name;
}

void place_set_input(const place *p, tensor_id x)
{
    graph_node(p->g, p->node)->inputs[p->input] = x;
}

const char *place_name(const place *p, const char *suffix)
{
    str text = STR_INIT;
    str_addf(&text, "%s.%s%s", place_owner(p), p->role, suffix);
    const char *name = str_ok(&text) ? graph_unique_name(p->g, str_text(&text)) : NULL;
    str_clear(&text);
    return name;
}

dtype codes_type(const quantizer *z)
{
    if (z->num_bits <= 8)
        return z->is_unsigned ? DTYPE_U8 : DTYPE_I8;
    return z->is_unsigned ? DTYPE_U16 : DTYPE_I16;
}

code_range codes_range(const quantizer *z)
{
    int32_t high = (int32_t)((1u << (z->num_bits - (z->is_unsigned ? 0 : 1))) - 1);
    return (code_range){z->is_unsigned ? 0 : z->narrow_range ? -high : -high - 1, high};
}

bool codes_fill_type(const quantizer *z)
{
    code_range all, range = codes_range(z);
    return code_range_of(codes_type(z), &all) && all.low == range.low && all.high == range.high;
}

ptq_status codes_scales(const quantizer *z, float **out, ptq_error *err)
{
    float *scale = mem_array((size_t)z->n_amax, sizeof *scale);
    if (!scale)
        return error_no_memory(err, (size_t)z->n_amax * sizeof *scale, "scales");
    float high = (float)codes_range(z).high;
    for (int i = 0; i < z->n_amax; i++) {
        float width = z->amax[i] - z->low;
        scale[i] = width <= AMAX_ZERO ? 1.0f : width / high;
    }
    *out = scale;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- checks */

static ptq_status check_range(const quantizer *z, ptq_error *err)
{
    for (int i = 0; i < z->n_amax; i++)
        if (!(z->amax[i] >= 0) || isinf(z->amax[i]))
            return error_set(err, PTQ_FORMAT, "range %d is %g", i, (double)z->amax[i]);
    bool has_low = z->low < 0;
    if (!(z->low <= 0) || isinf(z->low) || (has_low && (!z->is_unsigned || quantizer_axes(z))))
        return error_set(err, PTQ_FORMAT, "a range from %g needs unsigned codes of one scale",
                         (double)z->low);
    return PTQ_OK;
}

static ptq_status check_place(const place *p, ptq_error *err)
{
    const quantizer *z = p->quantizer;
    const char *owner = place_owner(p);
    if (z->num_bits < 2 || z->num_bits > 16)
        return error_set(err, PTQ_UNSUPPORTED, "the %s quantizer of '%s' has %d bits, not 2 to 16",
                         p->role, owner, z->num_bits);
    if (producer_if(p->g, place_tensor(p), GRAPH_OP_DEQUANTIZE_LINEAR) != NODE_NONE)
        return error_set(err, PTQ_UNSUPPORTED,
                         "the %s of '%s' is quantized already; remove the quantizers first",
                         p->role, owner);
    const shape *x = &graph_tensor_const(p->g, place_tensor(p))->shape;
    bool one = z->axis < 0 && !z->several_axes;
    bool is_outside = shape_known(x) && quantizer_axes(z) >> x->rank;
    if (one ? z->n_amax != 1 : is_outside || z->n_amax < 1)
        return error_set(err, PTQ_SHAPE, "the %s quantizer of '%s' has %d ranges on axis %d",
                         p->role, owner, z->n_amax, z->axis);
    size_t n_slices = shape_known(x) ? slices_count(x, quantizer_axes(z)) : 0;
    if (n_slices > 0 && n_slices != (size_t)z->n_amax)
        return error_set(err, PTQ_SHAPE, "the %s quantizer of '%s' has %d ranges for %zu channels",
                         p->role, owner, z->n_amax, n_slices);
    ptq_status status = check_range(z, err);
    if (status != PTQ_OK)
        error_context(err, "the %s quantizer of '%s'", p->role, owner);
    return status;
}

/* The code of 0, which a `low` moves up from 0. */
static int32_t zero_of(const quantizer *z, float scale)
{
    int32_t high = codes_range(z).high;
    float zero = rintf(-z->low / scale);
    return !(z->low < 0) ? 0 : zero < (float)high ? (int32_t)zero : high;
}

/* Adds the constants of a quantizer: "<node>.<role>_scale", "<node>.<role>_zero". */
static ptq_status add_constants(const place *p, const float *scale, qnode *q, ptq_error *err)
{
    const quantizer *z = p->quantizer;
    const char *scale_name = place_name(p, "_scale"), *zero_name = place_name(p, "_zero");
    if (!scale_name || !zero_name)
        return error_no_memory(err, 0, "a name");
    shape dims = {.rank = z->axis < 0 ? 0 : 1, .dim = {z->n_amax}};
    q->n_scales = (size_t)z->n_amax;
    q->axis = z->n_amax == 1 ? -1 : z->axis;
    q->code_type = codes_type(z);
    PTQ_TRY(graph_add_const_copy(p->g, scale_name, DTYPE_F32, &dims, scale, &q->scale_id, err));
    q->scale = blob_data(graph_tensor_const(p->g, q->scale_id)->data);
    blob *zeros = blob_create(q->n_scales * dtype_bytes(q->code_type));
    if (!zeros)
        return error_no_memory(err, q->n_scales, "zero points");
    if (q->code_type == DTYPE_U8)
        *(uint8_t *)blob_data(zeros) = (uint8_t)zero_of(z, scale[0]);
    else if (q->code_type == DTYPE_U16)
        *(uint16_t *)blob_data(zeros) = (uint16_t)zero_of(z, scale[0]);
    ptq_status status =
        graph_add_const(p->g, zero_name, q->code_type, &dims, zeros, &q->zero_id, err);
    blob_unref(&zeros);
    return status;
}

static ptq_status add_qnode(const place *p, graph_op op, tensor_id *x, const qnode *q,
                            ptq_error *err)
{
    bool is_q = op == GRAPH_OP_QUANTIZE_LINEAR;
    const char *name = place_name(p, is_q ? "_quantize" : "_dequantize");
    if (!name)
        return error_no_memory(err, 0, "a name");
    qnode_desc desc = {
        op, *x, q, name, graph_tensor_const(p->g, place_tensor(p))->name, is_q ? "_q" : "_dq"};
    return qnode_add(p->g, &desc, x, err);
}

/* Keeps *x within the codes of a quantizer that uses only a part of its type. */
static ptq_status add_clip(const place *p, const qnode *q, tensor_id *x, ptq_error *err)
{
    if (codes_fill_type(p->quantizer))
        return PTQ_OK;
    const char *name = place_name(p, "_clip");
    const char *output = name_with_suffix(p->g, graph_tensor_const(p->g, *x)->name, "_clip");
    if (!name || !output)
        return error_no_memory(err, 0, "a name");
    if (q->n_scales != 1)
        return error_set(err, PTQ_UNSUPPORTED,
                         "the %s quantizer of '%s' has fewer codes than its type and a range per "
                         "channel, which no node of ONNX says; use one range or whole 8 bits",
                         p->role, place_owner(p));
    code_range range = codes_range(p->quantizer);
    int32_t zero = qnode_zero(p->g, q, 0);
    op_attr attr = {.clip = {.min = (float)(range.low - zero) * q->scale[0],
                             .max = (float)(range.high - zero) * q->scale[0],
                             .of_quantizer = true}};
    return graph_add_op(p->g, GRAPH_OP_CLIP, name, 1, x, &attr, output, x, err);
}

/* Whether a pair quantizes as `z`, whose scales are `scale`, does. */
static bool is_like(const insertion *s, const pair *other, const quantizer *z, const float *scale)
{
    code_range range = codes_range(z);
    return other->q.code_type == codes_type(z) && other->range.low == range.low &&
           other->range.high == range.high && other->q.n_scales == (size_t)z->n_amax &&
           (z->n_amax == 1 || other->q.axis == z->axis) &&
           memcmp(other->q.scale, scale, (size_t)z->n_amax * sizeof *scale) == 0 &&
           qnode_zero(s->g, &other->q, 0) == zero_of(z, scale[0]);
}

/* A pair like it on the place's tensor, or behind that tensor's own. */
static const pair *find_pair(const insertion *s, const place *p, const float *scale)
{
    tensor_id x = place_tensor(p);
    for (int i = 0; i < s->n_pairs; i++) {
        const pair *other = &s->pairs[i];
        if ((other->source == x || other->dequantized == x) &&
            is_like(s, other, p->quantizer, scale))
            return other;
    }
    return NULL;
}

/* A new pair on the place's tensor, remembered for the tensor's other readers. */
static ptq_status add_pair(insertion *s, const place *p, const float *scale, const pair **out,
                           ptq_error *err)
{
    pair made = {.source = place_tensor(p), .range = codes_range(p->quantizer)};
    tensor_id x = made.source;
    PTQ_TRY(add_constants(p, scale, &made.q, err));
    PTQ_TRY(add_clip(p, &made.q, &x, err));
    PTQ_TRY(add_qnode(p, GRAPH_OP_QUANTIZE_LINEAR, &x, &made.q, err));
    PTQ_TRY(add_qnode(p, GRAPH_OP_DEQUANTIZE_LINEAR, &x, &made.q, err));
    made.dequantized = x;
    s->pairs[s->n_pairs] = made;
    *out = &s->pairs[s->n_pairs++];
    return PTQ_OK;
}

static ptq_status pair_for(insertion *s, const place *p, const pair **out, ptq_error *err)
{
    float *scale;
    PTQ_TRY(codes_scales(p->quantizer, &scale, err));
    ptq_status status = PTQ_OK;
    *out = find_pair(s, p, scale);
    if (!*out)
        status = check_place(p, err);
    if (status == PTQ_OK && !*out)
        status = add_pair(s, p, scale, out, err);
    mem_free(scale);
    return status;
}

static ptq_status insert_at_input(insertion *s, const place *p, ptq_error *err)
{
    const pair *made = NULL;
    if (insert_is_special(p, false)) {
        PTQ_TRY(check_place(p, err));
        return insert_special_input(p, err);
    }
    PTQ_TRY(pair_for(s, p, &made, err));
    place_set_input(p, made->dequantized);
    return PTQ_OK;
}

/* All readers read the codes; a graph output stays as it is. */
static ptq_status insert_at_tensor(insertion *s, const qplan_tensor *t, ptq_error *err)
{
    tensor_id x = graph_find_tensor(s->g, t->tensor);
    if (x == TENSOR_NONE || graph_is_const(s->g, x))
        return error_set(err, PTQ_FORMAT,
                         "the plan has a quantizer for '%s', the graph no such computed tensor",
                         t->tensor);
    place p = {.g = s->g, .node = NODE_NONE, .quantizer = &t->codes, .role = "value", .tensor = x};
    const pair *made = NULL;
    node_id *readers;
    int n;
    PTQ_TRY(consumers_list(s->g, x, &readers, &n, err));
    ptq_status status = pair_for(s, &p, &made, err);
    for (int i = 0; i < n && status == PTQ_OK; i++) {
        node *reader = graph_node(s->g, readers[i]);
        for (int k = 0; k < reader->n_inputs; k++)
            if (reader->inputs[k] == x)
                reader->inputs[k] = made->dequantized;
    }
    mem_free(readers);
    return status;
}

/* Whether some weight lies outside the codes that the quantizer has but its type would hold. */
static ptq_status needs_clip(const place *p, const qnode *q, bool *needed, ptq_error *err)
{
    code_range all;
    blob *within = NULL, *whole = NULL;
    *needed = false;
    if (codes_fill_type(p->quantizer) || !code_range_of(q->code_type, &all))
        return PTQ_OK;
    ptq_status status =
        qnode_quantize(p->g, place_tensor(p), q, codes_range(p->quantizer), &within, err);
    if (status == PTQ_OK)
        status = qnode_quantize(p->g, place_tensor(p), q, all, &whole, err);
    if (status == PTQ_OK)
        *needed = memcmp(blob_data(within), blob_data(whole), blob_size(whole)) != 0;
    blob_unref(&within);
    blob_unref(&whole);
    return status;
}

static ptq_status insert_float_weight(const place *p, const qnode *q, ptq_error *err)
{
    bool clipped;
    tensor_id x = place_tensor(p);
    PTQ_TRY(needs_clip(p, q, &clipped, err));
    if (clipped)
        PTQ_TRY(add_clip(p, q, &x, err));
    PTQ_TRY(add_qnode(p, GRAPH_OP_QUANTIZE_LINEAR, &x, q, err));
    PTQ_TRY(add_qnode(p, GRAPH_OP_DEQUANTIZE_LINEAR, &x, q, err));
    place_set_input(p, x);
    return PTQ_OK;
}

/* The place's constant becomes codes behind a DQ. */
static ptq_status insert_codes(const place *p, const qnode *q, code_range range, ptq_error *err)
{
    blob *codes;
    tensor_id x;
    PTQ_TRY(qnode_quantize(p->g, place_tensor(p), q, range, &codes, err));
    ptq_status status = const_replace(p->g, place_tensor(p), q->code_type, codes, &x, err);
    blob_unref(&codes);
    PTQ_TRY(status);
    place_set_input(p, x);
    PTQ_TRY(add_qnode(p, GRAPH_OP_DEQUANTIZE_LINEAR, &x, q, err));
    place_set_input(p, x);
    return PTQ_OK;
}

static ptq_status check_unsigned_weight(const place *p, ptq_error *err)
{
    size_t n = const_count(p->g, place_tensor(p));
    const float *w = const_floats(p->g, place_tensor(p), n);
    for (size_t i = 0; p->quantizer->is_unsigned && i < n; i++)
        if (w[i] < 0)
            return error_set(
                err, PTQ_USAGE,
                "the weight quantizer of '%s' is unsigned, but the weight has negative "
                "values",
                place_owner(p));
    return PTQ_OK;
}

static ptq_status insert_at_weight(const insertion *s, const place *p, ptq_error *err)
{
    const node *n = graph_node_const(s->g, p->node);
    if (n->n_inputs < 2 || !const_floats(s->g, n->inputs[1], const_count(s->g, n->inputs[1])))
        return error_set(err, PTQ_UNSUPPORTED, "the weight of '%s' is no f32 constant", n->name);
    PTQ_TRY(check_place(p, err));
    PTQ_TRY(check_unsigned_weight(p, err));
    if (insert_is_special(p, true))
        return insert_special_weight(p, err);
    float *scale;
    qnode q = {0};
    PTQ_TRY(codes_scales(p->quantizer, &scale, err));
    ptq_status status = add_constants(p, scale, &q, err);
    mem_free(scale);
    PTQ_TRY(status);
    return s->float_weights ? insert_float_weight(p, &q, err)
                            : insert_codes(p, &q, codes_range(p->quantizer), err);
}

/* The bias as codes in steps of what one product of codes is worth. */
static ptq_status insert_integer_bias(const place *p, ptq_error *err)
{
    const node n = *graph_node_const(p->g, p->node);
    qnode x, w;
    if (n.n_inputs < 3 || !const_floats(p->g, n.inputs[2], const_count(p->g, n.inputs[2])) ||
        !qnode_read(p->g, graph_producer(p->g, n.inputs[0]), &x) ||
        !qnode_read(p->g, graph_producer(p->g, n.inputs[1]), &w))
        return PTQ_OK;
    float *scale = mem_array(w.n_scales, sizeof *scale);
    const char *name = place_name(p, "_scale");
    if (!scale || !name)
        return error_no_memory(err, w.n_scales * sizeof *scale, "scales");
    for (size_t i = 0; i < w.n_scales; i++)
        scale[i] = x.scale[0] * w.scale[i];
    qnode q = {.axis = w.n_scales > 1 ? 0 : -1, .code_type = DTYPE_I32, .zero_id = TENSOR_NONE};
    q.n_scales = w.n_scales;
    shape dims = {.rank = w.n_scales > 1, .dim = {(int64_t)w.n_scales}};
    ptq_status status = graph_add_const_copy(p->g, name, DTYPE_F32, &dims, scale, &q.scale_id, err);
    mem_free(scale);
    PTQ_TRY(status);
    q.scale = blob_data(graph_tensor_const(p->g, q.scale_id)->data);
    return insert_codes(p, &q, (code_range){INT32_MIN, INT32_MAX}, err);
}

static ptq_status find_layer(const graph *g, const char *name, node_id *out, ptq_error *err)
{
    node_id id = graph_find_node(g, name);
    if (id == NODE_NONE)
        return error_set(err, PTQ_FORMAT,
                         "the plan has a quantizer for '%s', the graph no such node", name);
    *out = id;
    return PTQ_OK;
}

static ptq_status insert_entry(insertion *s, const qplan_entry *e, ptq_error *err)
{
    node_id id = NODE_NONE;
    PTQ_TRY(find_layer(s->g, e->layer, &id, err));
    if (e->input.enabled)
        PTQ_TRY(insert_at_input(s, &(place){s->g, id, 0, &e->input, "input", TENSOR_NONE}, err));
    if (e->weight.enabled)
        PTQ_TRY(insert_at_weight(s, &(place){s->g, id, 1, &e->weight, "weight", TENSOR_NONE}, err));
    if (s->integer_bias && e->input.enabled && e->weight.enabled)
        PTQ_TRY(insert_integer_bias(&(place){s->g, id, 2, NULL, "bias", TENSOR_NONE}, err));
    return PTQ_OK;
}

static ptq_status insert_extra(insertion *s, const qplan_extra *e, ptq_error *err)
{
    node_id id = NODE_NONE;
    char role[32];
    PTQ_TRY(find_layer(s->g, e->node, &id, err));
    if (e->input_index < 0 || e->input_index >= graph_node_const(s->g, id)->n_inputs)
        return error_set(err, PTQ_FORMAT, "the plan quantizes input %d of '%s', which has %d",
                         e->input_index, e->node, graph_node_const(s->g, id)->n_inputs);
    snprintf(role, sizeof role, "input%d", e->input_index);
    return insert_at_input(s, &(place){s->g, id, e->input_index, &e->input, role, TENSOR_NONE},
                           err);
}

/* ---------------------------------------------------------------- outputs of the graph */

/* The node `id` writes `to` in place of `from`. */
static ptq_status redirect_output(graph *g, node_id id, tensor_id from, tensor_id to,
                                  ptq_error *err)
{
    node n = *graph_node_const(g, id);
    tensor_id *outputs = mem_array((size_t)n.n_outputs, sizeof *outputs);
    if (!outputs)
        return error_no_memory(err, (size_t)n.n_outputs * sizeof *outputs, "a node");
    for (int i = 0; i < n.n_outputs; i++)
        outputs[i] = n.outputs[i] == from ? to : n.outputs[i];
    n.outputs = outputs;
    ptq_status status = node_replace(g, id, &n, err);
    mem_free(outputs);
    return status;
}

/* Who reads `from` reads `to`, but the graph's outputs stay as they are. */
static ptq_status redirect_readers(graph *g, tensor_id from, tensor_id to, ptq_error *err)
{
    int n = graph_n_outputs(g);
    tensor_id *outputs = mem_array((size_t)n, sizeof *outputs);
    if (!outputs)
        return error_no_memory(err, (size_t)n * sizeof *outputs, "a list of outputs");
    for (int i = 0; i < n; i++)
        outputs[i] = graph_output(g, i);
    graph_replace_uses(g, from, to);
    graph_clear_outputs(g);
    ptq_status status = PTQ_OK;
    for (int i = 0; i < n && status == PTQ_OK; i++)
        status = graph_add_output(g, outputs[i], err);
    mem_free(outputs);
    return status;
}

/* The producer writes a new tensor instead, which everybody but the graph's output reads. */
static ptq_status split_output(graph *g, tensor_id output, tensor_id *inner, ptq_error *err)
{
    tensor t = *graph_tensor_const(g, output);
    const char *name = name_with_suffix(g, t.name, "_float");
    if (!name)
        return error_no_memory(err, 0, "a name");
    PTQ_TRY(graph_add_tensor(g, name, t.type, &t.shape, inner, err));
    graph_tensor(g, *inner)->is_dynamic = t.is_dynamic;
    PTQ_TRY(redirect_output(g, graph_producer(g, output), output, *inner, err));
    return redirect_readers(g, output, *inner, err);
}

/* x -> Identity -> output: then the Identity's input can get a quantizer as any other input. */
static ptq_status insert_output(insertion *s, const qplan_extra *e, ptq_error *err)
{
    tensor_id output = graph_find_tensor(s->g, e->node), inner;
    if (output == TENSOR_NONE || !graph_is_output(s->g, output) ||
        graph_producer(s->g, output) == NODE_NONE)
        return error_set(err, PTQ_FORMAT, "the plan quantizes '%s', which is no computed output",
                         e->node);
    PTQ_TRY(split_output(s->g, output, &inner, err));
    const char *name = name_with_suffix(s->g, e->node, "_quantized");
    if (!name)
        return error_no_memory(err, 0, "a name");
    node desc = {.name = name,
                 .op = GRAPH_OP_IDENTITY,
                 .n_inputs = 1,
                 .n_outputs = 1,
                 .inputs = &inner,
                 .outputs = &output};
    node_id id;
    PTQ_TRY(graph_add_node(s->g, &desc, &id, err));
    for (int i = 0; i < s->n_pairs; i++)
        if (s->pairs[i].source == output)
            s->pairs[i].source = inner;
    return insert_at_input(s, &(place){s->g, id, 0, &e->input, "output", TENSOR_NONE}, err);
}

static ptq_status insert_extras(insertion *s, const qplan *plan, bool outputs, ptq_error *err)
{
    for (int i = 0; i < plan->n_extras; i++) {
        const qplan_extra *e = &plan->extras[i];
        if ((e->input_index == QPLAN_OUTPUT) != outputs || !e->input.enabled)
            continue;
        PTQ_TRY(outputs ? insert_output(s, e, err) : insert_extra(s, e, err));
    }
    return PTQ_OK;
}

ptq_status pass_insert_qdq(graph *g, const qplan *plan, ptq_error *err)
{
    size_t n = (size_t)plan->n_entries + (size_t)plan->n_extras + (size_t)plan->n_tensors;
    insertion s = {
        .g = g, .float_weights = plan->float_weights, .integer_bias = plan->integer_bias};
    s.pairs = mem_array(n, sizeof *s.pairs);
    if (!s.pairs)
        return error_no_memory(err, n * sizeof *s.pairs, "quantizers");
    ptq_status status = PTQ_OK;
    for (int i = 0; i < plan->n_tensors && status == PTQ_OK; i++)
        status = insert_at_tensor(&s, &plan->tensors[i], err);
    for (int i = 0; i < plan->n_entries && status == PTQ_OK; i++)
        status = insert_entry(&s, &plan->entries[i], err);
    if (status == PTQ_OK)
        status = insert_extras(&s, plan, false, err);
    if (status == PTQ_OK)
        status = insert_extras(&s, plan, true, err);
    mem_free(s.pairs);
    return status == PTQ_OK ? graph_tidy(g, err) : status;
}
