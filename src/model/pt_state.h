/* SPDX-License-Identifier: Apache-2.0 */
/* model/pt_state.h — the weights of a checkpoint by name, as state_dict() lists them.
 *
 * Made from a pickled module (its parameters, persistent buffers and parts, in that order) or from
 * a dictionary that is a state dict already. Nothing is read until a value is asked for.
 * Spec: checkpoint.md §6.
 */
#ifndef MODEL_PT_STATE_H
#define MODEL_PT_STATE_H

#include "model/pt_file.h"

typedef struct pt_entry {
    const char *name;
    const pickle_tensor *tensor;
    bool is_used; /* by whoever asks for it */
} pt_entry;

typedef struct pt_state pt_state;

/* `source` is an object or a dictionary of the file's document. A common prefix "module." (from
 * DataParallel) is taken off. `f` must outlive the state. */
PTQ_CHECKED ptq_status pt_state_create(pt_file *f, const pickle_value *source, pt_state **out,
                                       ptq_error *err);
void pt_state_destroy(pt_state *s); /* NULL allowed */

int pt_state_n_entries(const pt_state *s);
pt_entry *pt_state_entry(pt_state *s, int i);
/* NULL: absent. */
pt_entry *pt_state_find(pt_state *s, const char *name);
/* The e->tensor->n_elements values. PTQ_FORMAT when one is NaN or infinite; the message names
 * the tensor. */
PTQ_CHECKED ptq_status pt_state_read(pt_state *s, const pt_entry *e, float *values, ptq_error *err);

/* Whether a value can be a state dict: a dictionary in which tensors have names. */
bool pt_is_state_dict(const pickle_value *v);

#endif
