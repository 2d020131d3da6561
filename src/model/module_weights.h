/* SPDX-License-Identifier: Apache-2.0 */
/* model/module_weights.h — do the weights of a checkpoint fit a network?
 *
 * The network may come from the same file or from a config; then names are matched as
 * load_state_dict(strict=False) does, but nothing is left at random values: a missing ImplicitA
 * counts as 0 and a missing ImplicitM as 1 (both change nothing), any other is an error.
 */
#ifndef MODEL_MODULE_WEIGHTS_H
#define MODEL_MODULE_WEIGHTS_H

#include "base/env.h"
#include "model/module.h"
#include "model/pt_state.h"

/* Which layers the lead head depends on; is_live has one element per layer. Auxiliary branches are
 * not live: their weights are not needed. */
void network_find_live(const network *n, bool *is_live);

/* PTQ_FORMAT lists what is missing or of another shape. Warnings tell of defaults taken and, with
 * `tell_leftover`, of weights that have no place in the network. */
PTQ_CHECKED ptq_status weights_check(const network *n, pt_state *weights, bool tell_leftover,
                                     const ptq_env *env, ptq_error *err);

/* The part of a head that is only for training: its convolutions for the auxiliary levels. */
bool module_is_auxiliary(const module *m);

#endif
