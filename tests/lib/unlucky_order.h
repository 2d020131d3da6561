/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/unlucky_order.h — runs an engine's parts in orders that its schedule allows and threads
 * seldom take. What depends on a part it does not wait for reads what was there before. */
#ifndef UNLUCKY_ORDER_H
#define UNLUCKY_ORDER_H

#include "engine/engine.h"
#include "test.h"

/* After an engine_run(), whose inputs are used again. The memory for tensors is overwritten first.
 * The next part is drawn from all that may begin; without `rng` it is always the last of them. */
void run_in_unlucky_order(engine *e, test_rng *rng);

/* The share of parts that may begin before the step before theirs has ended. */
double overlap_of_steps(const engine *e);

#endif
