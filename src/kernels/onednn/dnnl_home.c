/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/dnnl_home.h"

#include <omp.h>

#include "base/mem.h"

/* Fails harmlessly once oneDNN has looked at the processor, and where it knows no such levels. */
static void cap_instructions(cpu_level level)
{
    static const dnnl_cpu_isa_t isa[] = {
        [CPU_REF] = dnnl_cpu_isa_sse41,
        [CPU_AVX2] = dnnl_cpu_isa_avx2,
        [CPU_AVX512] = dnnl_cpu_isa_avx512_core,
        [CPU_AVX512VNNI] = dnnl_cpu_isa_avx512_core_vnni,
        [CPU_AVX512BF16] = dnnl_cpu_isa_avx512_core_bf16,
    };
    if (level < cpu_best())
        (void)dnnl_set_max_cpu_isa(isa[level]);
}

ptq_status dnnl_home_create(cpu_level level, dnnl_home **out, ptq_error *err)
{
    dnnl_home *h = mem_zalloc(sizeof *h);
    if (!h)
        return error_no_memory(err, sizeof *h, "oneDNN");
    cap_instructions(level);
    if (dnnl_engine_create(&h->engine, dnnl_cpu, 0) != dnnl_success) {
        dnnl_home_destroy(h);
        return error_set(err, PTQ_INTERNAL, "oneDNN cannot be started");
    }
    *out = h;
    return PTQ_OK;
}

void dnnl_home_destroy(dnnl_home *h)
{
    if (!h)
        return;
    if (h->engine)
        dnnl_engine_destroy(h->engine);
    mem_free(h);
}

int dnnl_home_set_threads(int threads)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    return before;
}
