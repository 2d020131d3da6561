/* SPDX-License-Identifier: Apache-2.0 */
/* Einstein sums: which axes of the inputs go together. Labels are numbered in the order of the
 * output, the summed ones behind. */
#include <ctype.h>
#include <string.h>

#include "graph/graph_impl.h"
#include "graph/infer_rules.h"

enum { MAX_TERMS = 3, N_LETTERS = 128 };

/* One term of the equation, its "..." spelled as the labels 1, 2 ... (no letters). */
typedef struct term {
    char label[SHAPE_MAX_RANK];
    int n;
} term;

/* `rank` < 0: the output, whose "..." stands for `n_dots` axes. */
static bool read_term(const char *text, size_t length, int rank, int *n_dots, term *out)
{
    int letters = 0;
    const char *dots = NULL;
    for (size_t i = 0; i < length; i++)
        letters += isalpha((unsigned char)text[i]) != 0;
    for (size_t i = 0; i + 2 < length && !dots; i++)
        dots = strncmp(text + i, "...", 3) == 0 ? text + i : NULL;
    int own = rank >= 0 ? rank - letters : *n_dots;
    if ((size_t)letters + (dots ? 3 : 0) != length || own < 0 || (!dots && rank >= 0 && own > 0) ||
        letters + (dots ? own : 0) > SHAPE_MAX_RANK)
        return false;
    if (rank >= 0 && dots && own > *n_dots)
        *n_dots = own;
    for (size_t i = 0; i < length; i++) {
        if (text + i == dots) {
            for (int k = 0; k < own; k++) /* aligned at the end */
                out->label[out->n++] = (char)(8 - own + k + 1);
            i += 2;
        } else {
            out->label[out->n++] = text[i];
        }
    }
    return true;
}

/* Without an arrow: the axes of the dots, then every letter that occurs once. */
static void implicit_output(const term *inputs, int n_inputs, int n_dots, term *out)
{
    int seen[N_LETTERS] = {0};
    for (int k = 0; k < n_inputs; k++)
        for (int i = 0; i < inputs[k].n; i++)
            seen[(int)inputs[k].label[i]]++;
    for (int k = 0; k < n_dots; k++)
        out->label[out->n++] = (char)(8 - n_dots + k + 1);
    for (int c = 'A'; c < N_LETTERS; c++)
        if (seen[c] == 1 && out->n < SHAPE_MAX_RANK)
            out->label[out->n++] = (char)c;
}

static int find_label(const char *labels, int n, char label)
{
    for (int i = 0; i < n; i++)
        if (labels[i] == label)
            return i;
    return -1;
}

/* Numbers the labels and finds their lengths; an axis of 1 goes with any. */
static bool number_labels(const graph *g, const node *n, const term *terms, einsum_plan *p)
{
    char labels[SHAPE_MAX_RANK];
    for (int i = 0; i < terms[n->n_inputs].n; i++) {
        if (find_label(labels, i, terms[n->n_inputs].label[i]) >= 0)
            return false;
        labels[i] = terms[n->n_inputs].label[i];
        p->length[i] = -1;
    }
    p->n_labels = p->n_kept = terms[n->n_inputs].n;
    for (int k = 0; k < n->n_inputs; k++)
        for (int i = 0; i < terms[k].n; i++) {
            int at = find_label(labels, p->n_labels, terms[k].label[i]);
            int64_t length = g->tensors[n->inputs[k]].shape.dim[i];
            if (at < 0 && p->n_labels == SHAPE_MAX_RANK)
                return false;
            if (at < 0) {
                at = p->n_labels++;
                labels[at] = terms[k].label[i];
                p->length[at] = -1;
            }
            if (p->length[at] > 1 && length != 1 && length != p->length[at])
                return false;
            p->length[at] = p->length[at] > 1 ? p->length[at] : length;
            p->label[k][i] = at;
        }
    for (int i = 0; i < p->n_kept; i++)
        if (p->length[i] < 0)
            return false;
    return true;
}

bool node_einsum(const graph *g, const node *n, einsum_plan *p)
{
    term terms[MAX_TERMS] = {0};
    const char *text = n->attr.einsum.equation, *arrow = strstr(text, "->");
    const char *end = arrow ? arrow : text + strlen(text);
    int n_dots = 0;
    *p = (einsum_plan){0};
    for (int k = 0; k < n->n_inputs; k++) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma ? comma : end;
        int rank = g->tensors[n->inputs[k]].shape.rank;
        if ((comma != NULL) != (k < n->n_inputs - 1) ||
            !read_term(text, (size_t)(stop - text), rank, &n_dots, &terms[k]))
            return false;
        text = stop + (comma != NULL);
    }
    term *out = &terms[n->n_inputs];
    if (arrow && !read_term(arrow + 2, strlen(arrow + 2), -1, &n_dots, out))
        return false;
    if (!arrow)
        implicit_output(terms, n->n_inputs, n_dots, out);
    return number_labels(g, n, terms, p);
}

ptq_status infer_einsum(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    einsum_plan p;
    if (!node_einsum(g, n, &p))
        return error_set(err, PTQ_SHAPE, "the equation '%s' does not fit its inputs",
                         n->attr.einsum.equation);
    out->shape[0] = shape_make(p.n_kept, p.length);
    return PTQ_OK;
}
