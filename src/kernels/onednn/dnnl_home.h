/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/onednn/dnnl_home.h — the engine that oneDNN primitives live in.
 *
 * oneDNN takes its thread count from OpenMP's, which is a property of the calling thread: it is set
 * around every creation and execution and put back.
 */
#ifndef KERNELS_ONEDNN_DNNL_HOME_H
#define KERNELS_ONEDNN_DNNL_HOME_H

#include <oneapi/dnnl/dnnl.h>

#include "base/cpu.h"
#include "base/error.h"

typedef struct dnnl_home {
    dnnl_engine_t engine;
} dnnl_home;

PTQ_CHECKED ptq_status dnnl_home_create(cpu_level level, dnnl_home **out, ptq_error *err);
void dnnl_home_destroy(dnnl_home *h); /* NULL allowed */

/* Sets the threads oneDNN will use from this thread; returns what to put back. */
int dnnl_home_set_threads(int threads);

#endif
