/* SPDX-License-Identifier: Apache-2.0 */
/* ranks.h — the same command in several processes that share its work: mpirun -n 4 ptq sensitivity
 * ... Only ranks.c knows MPI, and only when it was built with it (PTQ_MPI).
 */
#ifndef CLI_RANKS_H
#define CLI_RANKS_H

#include "ptq/ptq.h"

/* Under mpirun: fills rank, n_ranks and gather of `env`. Else nothing. PTQ_UNSUPPORTED under mpirun
 * when the program was built without MPI: every process would do all the work. */
ptq_status ranks_start(ptq_env *env, ptq_error *err);
/* After ranks_start(). A rank that failed takes the others with it: they would wait for it. */
void ranks_end(const ptq_env *env, int code);

#endif
