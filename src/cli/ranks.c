/* SPDX-License-Identifier: Apache-2.0 */
#include "ranks.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Set by mpirun of Open MPI, and by those that speak PMI. */
static long launched_ranks(void)
{
    const char *n = getenv("OMPI_COMM_WORLD_SIZE");
    n = n ? n : getenv("PMI_SIZE");
    return n ? strtol(n, NULL, 10) : 1;
}

static ptq_status refuse(ptq_status st, const char *message, ptq_error *err)
{
    *err = (ptq_error){.code = st};
    snprintf(err->message, sizeof err->message, "%s", message);
    return st;
}

#ifdef PTQ_MPI
#include <mpi.h>

/* In pieces: counts are int. */
static int gather(void *ranks, const void *mine, size_t bytes, void *all)
{
    (void)ranks;
    if (bytes > INT_MAX)
        return -1;
    return MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD) ==
                   MPI_SUCCESS
               ? 0
               : -1;
}

ptq_status ranks_start(ptq_env *env, ptq_error *err)
{
    if (launched_ranks() < 2)
        return PTQ_OK;
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS)
        return refuse(PTQ_IO, "MPI does not start", err);
    MPI_Comm_rank(MPI_COMM_WORLD, &env->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &env->n_ranks);
    env->gather = gather;
    return PTQ_OK;
}

void ranks_end(const ptq_env *env, int code)
{
    if (!env->gather)
        return;
    if (code > 1)
        MPI_Abort(MPI_COMM_WORLD, code);
    MPI_Finalize();
}

#else

ptq_status ranks_start(ptq_env *env, ptq_error *err)
{
    (void)env;
    if (launched_ranks() < 2)
        return PTQ_OK;
    return refuse(PTQ_UNSUPPORTED,
                  "this ptq was built without MPI; install libopenmpi-dev and build it again", err);
}

void ranks_end(const ptq_env *env, int code)
{
    (void)env;
    (void)code;
}

#endif
