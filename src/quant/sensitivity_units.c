/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/sensitivity_units.h"

#include <string.h>

#include "base/mem.h"
#include "quant/residual.h"

/* "model.24" of "model.24.m.0.cv1.conv"; a name with fewer than three parts is its own block. */
static size_t block_length(const char *layer)
{
    const char *dot = strchr(layer, '.');
    dot = dot ? strchr(dot + 1, '.') : NULL;
    return dot ? (size_t)(dot - layer) : strlen(layer);
}

static int find_unit(const unit_list *l, const char *name, size_t length)
{
    for (int i = l->n - 1; i >= 0; i--)
        if (strncmp(l->items[i].name, name, length) == 0 && l->items[i].name[length] == '\0')
            return i;
    return UNIT_NONE;
}

static const char *op_of(const graph *g, const char *layer)
{
    node_id id = graph_find_node(g, layer);
    return id == NODE_NONE ? "" : graph_op_name(graph_node_const(g, id)->op);
}

ptq_status units_list(const sensitivity_job *job, bool by_block, unit_list *out, ptq_error *err)
{
    size_t n = (size_t)job->plan->n_entries;
    unit_list l = {mem_array(n, sizeof *l.items), 0, mem_array(n, sizeof *l.of_entry)};
    bool ok = l.items && l.of_entry;
    for (size_t i = 0; ok && i < n; i++) {
        const char *layer = job->plan->entries[i].layer;
        size_t length = by_block ? block_length(layer) : strlen(layer);
        int at = find_unit(&l, layer, length);
        if (at == UNIT_NONE) {
            at = l.n;
            l.items[at] = (unit){mem_strndup(layer, length), op_of(job->g, layer)};
            ok = l.items[at].name != NULL;
            l.n++;
        } else {
            l.items[at].op = "block";
        }
        l.of_entry[i] = at;
    }
    if (!ok) {
        units_clear(&l);
        return error_no_memory(err, n * sizeof *l.items, "a ranking");
    }
    *out = l;
    return PTQ_OK;
}

void units_clear(unit_list *l)
{
    for (int i = 0; l->items && i < l->n; i++)
        mem_free(l->items[i].name);
    mem_free(l->items);
    mem_free(l->of_entry);
    *l = (unit_list){0};
}

static const qplan_entry *find_entry(const qplan *plan, const char *layer)
{
    for (int i = 0; i < plan->n_entries; i++)
        if (strcmp(plan->entries[i].layer, layer) == 0)
            return &plan->entries[i];
    return NULL;
}

bool units_keeps_extra(const graph *g, const qplan *plan, const qplan_extra *e)
{
    node_id id = graph_find_node(g, e->node);
    residual r;
    if (id == NODE_NONE || graph_node_const(g, id)->op != GRAPH_OP_ADD || !residual_find(g, id, &r))
        return true;
    return find_entry(plan, graph_node_const(g, r.branch)->name) != NULL;
}

ptq_status units_plan(const sensitivity_job *job, const unit_list *l, sensitivity_mode mode,
                      int index, qplan *out, ptq_error *err)
{
    const qplan *all = job->plan;
    bool only = mode == SENSITIVITY_ONLY;
    qplan plan = {.entries = mem_array((size_t)all->n_entries, sizeof *plan.entries),
                  .extras = mem_array((size_t)all->n_extras, sizeof *plan.extras)};
    if (!plan.entries || !plan.extras) {
        mem_free(plan.entries);
        mem_free(plan.extras);
        return error_no_memory(err, (size_t)all->n_entries * sizeof *plan.entries, "a ranking");
    }
    for (int i = 0; i < all->n_entries; i++)
        if ((l->of_entry[i] == index) == only)
            plan.entries[plan.n_entries++] = all->entries[i];
    for (int i = 0; !only && i < all->n_extras; i++)
        if (units_keeps_extra(job->g, &plan, &all->extras[i]))
            plan.extras[plan.n_extras++] = all->extras[i];
    *out = plan;
    return PTQ_OK;
}
