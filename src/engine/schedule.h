/* SPDX-License-Identifier: Apache-2.0 */
/* engine/schedule.h — the parts of all steps in one list, so that threads do not wait for each
 * other at the end of every step.
 *
 * A part begins when all parts of the steps before the previous one have ended, and of the previous
 * step's parts those that it depends on: none when the two steps touch no common memory; those that
 * write the rows it reads when both are convolutions; else all. So the memory of a buffer may serve
 * again one step after its last use plus one (SCHEDULE_OVERLAP).
 *
 * A step is a group of the pool's job, so that a thread has the same rows of every step.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "engine/program.h"

enum { SCHEDULE_OVERLAP = 1 }; /* steps that may run beside an earlier one */

/* Fills e->tasks, their needs and groups from the finished steps. */
PTQ_CHECKED ptq_status schedule_make(engine *e, ptq_error *err);

#endif
