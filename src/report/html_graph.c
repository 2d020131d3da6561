/* SPDX-License-Identifier: Apache-2.0 */
/* The graph as a schematic: from left to right by depth, folded into rows as wide as a page; a node
 * is coloured by the precision it runs in, nodes with one shared scale carry its number.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_view.h"

enum { NODE_W = 32, NODE_H = 16, STEP_X = 42, STEP_Y = 24, PER_ROW = 24, MAX_SHOWN = 4000 };

typedef struct place {
    int depth; /* longest way from the input */
    int lane;  /* among the nodes of that depth */
    double x, y;
} place;

typedef struct drawing {
    const json_t *nodes;
    const json_t *layers;
    place *places;
    int n;
    int n_depths;
} drawing;

static int input_of(const drawing *d, int node, size_t i)
{
    const json_t *inputs = field_at(json_array_get(d->nodes, (size_t)node), "inputs");
    if (i >= json_array_size(inputs))
        return -1;
    json_int_t v = json_integer_value(json_array_get(inputs, i));
    return v >= 0 && v < node ? (int)v : node; /* a node itself: not drawn */
}

static void place_by_depth(drawing *d)
{
    for (int i = 0; i < d->n; i++) {
        int depth = 0, source;
        for (size_t k = 0; (source = input_of(d, i, k)) >= 0; k++)
            if (source < i && d->places[source].depth + 1 > depth)
                depth = d->places[source].depth + 1;
        d->places[i].depth = depth;
        for (int k = 0; k < i; k++)
            d->places[i].lane += d->places[k].depth == depth;
        if (depth + 1 > d->n_depths)
            d->n_depths = depth + 1;
    }
}

static int lanes_of_row(const drawing *d, int row)
{
    int most = 1;
    for (int i = 0; i < d->n; i++)
        if (d->places[i].depth / PER_ROW == row && d->places[i].lane + 1 > most)
            most = d->places[i].lane + 1;
    return most;
}

/* Returns the height. */
static double place_in_rows(drawing *d)
{
    double top = 10;
    for (int row = 0; row * PER_ROW < d->n_depths; row++) {
        for (int i = 0; i < d->n; i++) {
            place *p = &d->places[i];
            if (p->depth / PER_ROW != row)
                continue;
            p->x = 10 + p->depth % PER_ROW * STEP_X;
            p->y = top + p->lane * STEP_Y;
        }
        top += (lanes_of_row(d, row) + 1) * STEP_Y;
    }
    return top;
}

static const json_t *layer_of(const drawing *d, const char *name)
{
    for (size_t i = 0; i < json_array_size(d->layers); i++) {
        const json_t *layer = json_array_get(d->layers, i);
        if (strcmp(field_text(layer, "name", ""), name) == 0)
            return layer;
    }
    return NULL;
}

static void add_edges(str *out, const drawing *d)
{
    str_add(out, "<path class=\"edge\" d=\"");
    for (int i = 0; i < d->n; i++) {
        int source;
        for (size_t k = 0; (source = input_of(d, i, k)) >= 0; k++) {
            const place *a = &d->places[source], *b = &d->places[i];
            double x1 = a->x + NODE_W, y1 = a->y + NODE_H / 2.0, y2 = b->y + NODE_H / 2.0;
            if (source == i)
                continue;
            if (a->depth / PER_ROW == b->depth / PER_ROW)
                str_addf(out, "M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f", x1, y1, x1 + 12, y1,
                         b->x - 12, y2, b->x, y2);
            else /* to another row: a stub at either end */
                str_addf(out, "M%.0f %.0fh6M%.0f %.0fh-6", x1, y1, b->x, y2);
        }
    }
    str_add(out, "\"/>\n");
}

static void add_node(str *out, const drawing *d, int i)
{
    const json_t *node = json_array_get(d->nodes, (size_t)i);
    const char *name = field_text(node, "name", "?"), *op = field_text(node, "op", "?");
    const json_t *layer = layer_of(d, name);
    const char *kept = field_text(layer, "kept", NULL);
    const char *colour = !layer ? "move" : kept ? "fp" : "q";
    const place *p = &d->places[i];
    if (layer) {
        str_add(out, "<a href=\"#layer-");
        html_text(out, name);
        str_add(out, "\">");
    }
    str_addf(out,
             "<rect class=\"%s\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" rx=\"3\"><title>",
             colour, p->x, p->y, NODE_W, NODE_H);
    html_text(out, name);
    str_addf(out, ": ");
    html_text(out, op);
    str_add(out, layer ? kept ? ", 16 bit" : ", int8" : "");
    str_add(out, "</title></rect>");
    if (layer && !kept)
        str_addf(out, "<circle class=\"qdq\" cx=\"%.0f\" cy=\"%.0f\" r=\"3.5\"/>", p->x,
                 p->y + NODE_H / 2.0);
    bool is_shared = !kept && field_number(layer, "group_size") > 1;
    char short_name[8];
    if (is_shared)
        snprintf(short_name, sizeof short_name, "s%.0f", field_number(layer, "group"));
    else
        snprintf(short_name, sizeof short_name, "%.4s", op);
    str_addf(out,
             "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\" pointer-events=\"none\" "
             "style=\"font-size:9px;fill:var(--paper)\">",
             p->x + NODE_W / 2.0 + 1, p->y + 11);
    html_text(out, short_name);
    str_add(out, layer ? "</text></a>\n" : "</text>\n");
}

static void add_drawing(str *out, drawing *d)
{
    place_by_depth(d);
    double height = place_in_rows(d);
    str_add(out, "<div class=\"scroll wide\">");
    html_svg(out, 20 + PER_ROW * STEP_X, height, "The graph",
             "Nodes from left to right in order of depth, row after row, coloured by precision; "
             "the table holds every node");
    add_edges(out, d);
    for (int i = 0; i < d->n; i++)
        add_node(out, d, i);
    str_add(out, "</svg></div>");
}

void html_graph(str *out, const json_t *document)
{
    drawing d = {.nodes = field_at(document, "facts.graph"),
                 .layers = field_at(document, "facts.layers")};
    size_t n = json_array_size(d.nodes);
    d.n = n < MAX_SHOWN ? (int)n : MAX_SHOWN;
    d.places = mem_array(n + 1, sizeof *d.places);
    if (n == 0 || !d.places) {
        mem_free(d.places);
        return;
    }
    html_section(out, "graph", "The graph");
    str_add(out, "<p class=\"key soft\"><span><i style=\"background:var(--q)\"></i>int8</span>"
                 "<span><i style=\"background:var(--fp)\"></i>kept in 16 bit</span>"
                 "<span><i style=\"background:var(--soft)\"></i>no quantizer of its own</span>"
                 "<span><i class=\"dot\"></i>Q/DQ on the input</span>"
                 "<span>s7: shares input scale 7 with others of that number</span></p>");
    add_drawing(out, &d);
    html_data_table(out, (const char *[]){"node", "op", "precision", "scale group", NULL});
    for (int i = 0; i < d.n; i++) {
        const json_t *node = json_array_get(d.nodes, (size_t)i);
        const json_t *layer = layer_of(&d, field_text(node, "name", ""));
        str_add(out, "<tr>");
        html_cell(out, field_text(node, "name", "?"));
        html_cell(out, field_text(node, "op", "?"));
        html_cell(out, !layer ? "" : field_text(layer, "kept", NULL) ? "16 bit" : "int8");
        html_number(out, 0, field_number(layer, "group"));
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    html_section_end(out);
    mem_free(d.places);
}
