/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizers in a model in memory: put in, switched, read, taken away. */
#include <stdio.h>
#include <string.h>

#include "api/file_quantizers.h"
#include "api/option_defaults.h"
#include "api/quant_setup.h"
#include "api/quantizer_api.h"
#include "base/mem.h"
#include "graph/slices.h"
#include "quant/deploy.h"
#include "quant/fake_quant.h"
#include "quant/quant_plan.h"

struct inserted {
    graph *plain; /* the float graph, for the way back; of the size that the plan needs */
    qplan plan;
    descriptor *inputs;   /* per entry, then per extra: what the ranges were found by */
    descriptor *weights;  /* per entry */
    ptq_error not_a_file; /* code PTQ_OK: everything can be written */
};

void ptq_insert_options_init(ptq_insert_options *o)
{
    *o = (ptq_insert_options){
        .data = data_defaults("train"), .quant = quant_defaults(), .target = "tensorrt10"};
}

void inserted_destroy(inserted *i)
{
    if (!i)
        return;
    graph_destroy(i->plain);
    quant_plan_clear(&i->plan);
    mem_free(i->inputs);
    mem_free(i->weights);
    mem_free(i);
}

ptq_status inserted_check_file(const ptq_model *m, ptq_error *err)
{
    if (!m->inserted || m->inserted->not_a_file.code == PTQ_OK)
        return PTQ_OK;
    return error_set(err, m->inserted->not_a_file.code, "%s", m->inserted->not_a_file.message);
}

/* ---------------------------------------------------------------- putting them in */

/* The float graph with the plan's quantizers becomes the model's. */
static ptq_status apply_plan(ptq_model *m, ptq_error *err)
{
    graph *g;
    PTQ_TRY(graph_copy(m->inserted->plain, &g, err));
    ptq_status status = pass_insert_qdq(g, &m->inserted->plan, err);
    if (status != PTQ_OK) {
        graph_destroy(g);
        return status;
    }
    graph_destroy(m->clean);
    m->clean = g;
    return PTQ_OK;
}

/* A plan has the points in their order: main ones as entries, the others as extras. */
static ptq_status keep_descriptors(inserted *i, const quant_points *points, ptq_error *err)
{
    size_t n = (size_t)i->plan.n_entries + (size_t)i->plan.n_extras;
    int entry = 0, extra = i->plan.n_entries;
    i->inputs = mem_array(n, sizeof *i->inputs);
    i->weights = mem_array(n, sizeof *i->weights);
    if (!i->inputs || !i->weights)
        return error_no_memory(err, n * sizeof *i->inputs, "quantizers");
    for (int k = 0; k < points->n; k++) {
        const quant_point *p = &points->items[k];
        if (p->kept != QUANT_NOT_KEPT)
            continue;
        if (!p->is_extra)
            i->weights[entry] = p->weight_desc;
        i->inputs[p->is_extra ? extra++ : entry++] = p->input_desc;
    }
    return PTQ_OK;
}

static ptq_status insert_into(ptq_model *m, quant_setup *s, const ptq_insert_options *o,
                              const quant_target *target, api_call *call, ptq_error *err)
{
    PTQ_TRY(quant_setup_ranges(s, m, &o->quant, &o->data, call, err));
    PTQ_TRY(quant_setup_fit(s, m, &o->quant, &o->data, call, err));
    PTQ_TRY(quant_setup_report(s, m, &o->quant, target, call, err));
    inserted *i = mem_zalloc(sizeof *i);
    if (!i)
        return error_no_memory(err, sizeof *i, "quantizers");
    i->not_a_file.code = PTQ_OK;
    ptq_error why;
    if (deploy_check(m->clean, &s->points, target, &why) != PTQ_OK)
        i->not_a_file = why;
    ptq_status status = quant_setup_copy(s, m->clean, &i->plain, err);
    if (status == PTQ_OK)
        status = quant_plan_build(m->clean, &s->points, s->ranges, &s->options, &i->plan, err);
    if (status == PTQ_OK)
        status = keep_descriptors(i, &s->points, err);
    if (status != PTQ_OK) {
        inserted_destroy(i);
        return status;
    }
    m->inserted = i;
    put_int(call->result, "quantized_layers", i->plan.n_entries);
    put(call->result, "kept_layers", quant_points_write_kept(&s->points)); /* names of m->clean */
    put(call->result, "quantizers", quant_plan_write_json(i->plain, &i->plan));
    status = apply_plan(m, err);
    if (status != PTQ_OK) {
        inserted_destroy(i);
        m->inserted = NULL;
    }
    return status;
}

ptq_status ptq_insert_quantizers(ptq_model *m, const ptq_insert_options *o, const ptq_env *env,
                                 ptq_result **out, ptq_error *err)
{
    const quant_target *target = quant_target_find(o->target);
    if (!target)
        return error_set(err, PTQ_UNSUPPORTED, "target '%s' is not supported", o->target);
    if (target->on_codes)
        return error_set(err, PTQ_UNSUPPORTED,
                         "target '%s' computes on codes throughout: ptq_quantize() makes its file",
                         o->target);
    api_call call;
    PTQ_TRY(api_begin(&call, "insert", env, err));
    quant_setup s;
    ptq_status status = quant_setup_open(&s, m, &o->quant, target, err);
    if (status == PTQ_OK) {
        status = insert_into(m, &s, o, target, &call, err);
        quant_setup_close(&s);
    }
    return api_end(&call, status, m->file, out, err);
}

/* ---------------------------------------------------------------- taking them away */

/* Codes of a constant cannot become the float values again that they were made from. */
static ptq_status check_float_weights(const ptq_model *m, ptq_error *err)
{
    const graph *g = m->clean;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (n->is_dead || n->op != GRAPH_OP_DEQUANTIZE_LINEAR || !graph_is_const(g, n->inputs[0]))
            continue;
        return error_set(err, PTQ_UNSUPPORTED,
                         "'%s' holds '%s' as codes, not as float values: quantizers can be removed "
                         "from files that were written with --float-weights",
                         m->file->path, graph_tensor_const(g, n->inputs[0])->name);
    }
    return PTQ_OK;
}

ptq_status model_float_graph(const ptq_model *m, graph **out, ptq_error *err)
{
    graph *g;
    if (m->inserted)
        return graph_copy(m->inserted->plain, out, err);
    if (!graph_has_qdq(m->clean))
        return error_set(err, PTQ_USAGE, "'%s' has no quantizers", m->file->path);
    PTQ_TRY(check_float_weights(m, err));
    PTQ_TRY(graph_copy(m->clean, &g, err));
    ptq_status status = pass_remove_qdq(g, err);
    if (status == PTQ_OK)
        *out = g;
    else
        graph_destroy(g);
    return status;
}

ptq_status ptq_remove_quantizers(ptq_model *m, ptq_error *err)
{
    if (m->inserted) {
        graph_destroy(m->clean);
        m->clean = m->inserted->plain;
        m->inserted->plain = NULL;
        inserted_destroy(m->inserted);
        m->inserted = NULL;
        return PTQ_OK;
    }
    graph *g;
    PTQ_TRY(model_float_graph(m, &g, err));
    graph_destroy(m->clean);
    m->clean = g;
    m->file->has_qdq = false;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- switching */

static ptq_status choose(ptq_model *m, const ptq_layers *which, quant_config **out, ptq_error *err)
{
    if (!m->inserted)
        return error_set(err, PTQ_USAGE, "no quantizers were inserted into '%s'", m->file->path);
    ptq_quant_config c;
    PTQ_TRY(quant_config_load(NULL, &c.config, err));
    ptq_status status = ptq_quant_config_disable(&c, which, true, err);
    if (status == PTQ_OK)
        *out = c.config;
    else
        quant_config_destroy(c.config);
    return status;
}

static bool is_chosen(const ptq_model *m, const quant_config *c, const char *layer)
{
    node_id id = graph_find_node(m->inserted->plain, layer);
    return id != NODE_NONE &&
           quant_config_rule(c, layer, graph_node_const(m->inserted->plain, id)->op);
}

/* Ranges stay where a quantizer is off. */
static int set_quantizer(quantizer *q, bool enabled)
{
    if (!q->amax)
        return 0;
    q->enabled = enabled;
    return 1;
}

static int set_chosen(ptq_model *m, const quant_config *c, ptq_role role, bool enabled)
{
    qplan *plan = &m->inserted->plan;
    int n = 0;
    for (int i = 0; i < plan->n_entries; i++) {
        qplan_entry *e = &plan->entries[i];
        if ((role == PTQ_WEIGHT || role == PTQ_INPUT) && is_chosen(m, c, e->layer))
            n += set_quantizer(role == PTQ_WEIGHT ? &e->weight : &e->input, enabled);
    }
    for (int i = 0; i < plan->n_extras; i++) {
        qplan_extra *e = &plan->extras[i];
        bool is_output = e->input_index == QPLAN_OUTPUT;
        tensor_id output = is_output ? graph_find_tensor(m->inserted->plain, e->node) : TENSOR_NONE;
        node_id producer =
            output == TENSOR_NONE ? NODE_NONE : graph_producer(m->inserted->plain, output);
        const char *layer =
            producer == NODE_NONE ? e->node : graph_node_const(m->inserted->plain, producer)->name;
        if (role == (is_output ? PTQ_OUTPUT : PTQ_INPUT + e->input_index) && is_chosen(m, c, layer))
            n += set_quantizer(&e->input, enabled);
    }
    return n;
}

ptq_status ptq_enable_quantizers(ptq_model *m, const ptq_layers *which, ptq_role role, bool enabled,
                                 int *n, ptq_error *err)
{
    quant_config *c = NULL;
    PTQ_TRY(choose(m, which, &c, err));
    int found = set_chosen(m, c, role, enabled);
    quant_config_destroy(c);
    if (found == 0)
        return error_set(err, PTQ_USAGE, "no quantizer of that role stands at the layers chosen");
    if (n)
        *n = found;
    return apply_plan(m, err);
}

/* ---------------------------------------------------------------- reading */

/* One quantizer of a plan, and what its range was found by. */
typedef struct found {
    const quantizer *quantizer;
    const descriptor *desc;
    ptq_quantizer_place place;
} found;

static ptq_quantizer_place extra_place(const graph *g, const qplan_extra *e)
{
    if (e->input_index == QPLAN_OUTPUT)
        return (ptq_quantizer_place){e->node, "output", e->node, PTQ_OUTPUT};
    const node *n = graph_node_const(g, graph_find_node(g, e->node));
    return (ptq_quantizer_place){e->node, graph_op_name(n->op),
                                 graph_tensor_const(g, n->inputs[e->input_index])->name,
                                 PTQ_INPUT + e->input_index};
}

/* Quantizer `i` of the plan; false when there are fewer. */
static bool find_quantizer(const ptq_model *m, int i, found *out)
{
    const graph *g = m->inserted->plain;
    const qplan *plan = &m->inserted->plan;
    for (int k = 0; k < plan->n_entries; k++) {
        const qplan_entry *e = &plan->entries[k];
        const node *n = graph_node_const(g, graph_find_node(g, e->layer));
        const quantizer *both[2] = {&e->input, &e->weight};
        for (int r = 0; r < 2; r++) {
            if (!both[r]->amax || i-- > 0)
                continue;
            *out = (found){both[r],
                           r ? &m->inserted->weights[k] : &m->inserted->inputs[k],
                           {e->layer, graph_op_name(n->op),
                            graph_tensor_const(g, n->inputs[r])->name, r ? PTQ_WEIGHT : PTQ_INPUT}};
            return true;
        }
    }
    for (int k = 0; k < plan->n_extras; k++) {
        const qplan_extra *e = &plan->extras[k];
        if (!e->input.amax || i-- > 0)
            continue;
        *out = (found){&e->input, &m->inserted->inputs[plan->n_entries + k], extra_place(g, e)};
        return true;
    }
    return false;
}

int ptq_n_quantizers(const ptq_model *m)
{
    found ignored;
    int n = 0;
    if (!m->inserted)
        return file_n_quantizers(m->clean);
    while (find_quantizer(m, n, &ignored))
        n++;
    return n;
}

/* What the plan knows of a quantizer, and of a descriptor what says how its range was found. */
static ptq_status make_quantizer(const quantizer *z, const descriptor *from, ptq_quantizer **out,
                                 ptq_error *err)
{
    uint32_t axes = quantizer_axes(z);
    descriptor d = from ? *from : descriptor_plain();
    d.num_bits = z->num_bits;
    d.n_amax = z->n_amax;
    d.amax = z->amax[0];
    d.amax_list = z->amax;
    d.scale_amax = 1;
    d.is_unsigned = z->is_unsigned;
    d.narrow_range = z->narrow_range && !d.if_clip;
    d.disabled = !z->enabled;
    d.if_calib = false;
    d.n_axis = 0;
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        if (axes >> i & 1)
            d.axis[d.n_axis++] = i;
    ptq_quantizer *q = mem_zalloc(sizeof *q);
    if (!q)
        return error_no_memory(err, sizeof *q, "a quantizer");
    ptq_status status = tensor_quantizer_create(&d, true, &q->q, err);
    if (status == PTQ_OK)
        *out = q;
    else
        mem_free(q);
    return status;
}

ptq_status ptq_get_quantizer(const ptq_model *m, int i, ptq_quantizer_place *place,
                             ptq_quantizer **out, ptq_error *err)
{
    found f = {0};
    if (i < 0 || i >= ptq_n_quantizers(m))
        return error_set(err, PTQ_USAGE, "there is no quantizer %d; there are %d", i,
                         ptq_n_quantizers(m));
    if (m->inserted && find_quantizer(m, i, &f)) {
        PTQ_TRY(make_quantizer(f.quantizer, f.desc, out, err));
    } else {
        quantizer z = {0};
        PTQ_TRY(file_quantizer_read(m->clean, i, &z, &f.place, err));
        ptq_status status = make_quantizer(&z, NULL, out, err);
        mem_free(z.amax);
        PTQ_TRY(status);
    }
    if (place)
        *place = f.place;
    return PTQ_OK;
}
