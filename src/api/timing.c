/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timing.h"

#include <stdlib.h>

#include "api/result.h"
#include "base/clock.h"
#include "base/mem.h"

ptq_status noise_input(const shape *s, tensor_view *out, ptq_error *err)
{
    size_t count, bytes;
    if (!shape_count(s, &count) || !mem_mul(count, sizeof(float), &bytes))
        return error_set(err, PTQ_LIMIT, "the input is too large");
    float *values = mem_alloc_aligned(bytes);
    if (!values)
        return error_no_memory(err, bytes, "an input");
    uint32_t r = 12345;
    for (size_t i = 0; i < count; i++) {
        r = r * 1664525u + 1013904223u;
        values[i] = (float)(r >> 8) * 0x1p-24f;
    }
    *out = (tensor_view){.data = values, .type = DTYPE_F32, .shape = *s};
    return PTQ_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a fraction q of the sorted times lies (nearest rank). */
static double quantile(const double *sorted, int n, double q)
{
    int i = (int)(q * n);
    return sorted[i < n ? i : n - 1];
}

static void summarise(double *ms, run_times *t)
{
    int n = t->n;
    double sum = 0;
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    for (int i = 0; i < n; i++)
        sum += ms[i];
    t->min = ms[0];
    t->median = n % 2 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
    t->mean = sum / n;
    t->p90 = quantile(ms, n, 0.9);
    t->p99 = quantile(ms, n, 0.99);
    t->max = ms[n - 1];
}

ptq_status time_runs(session *s, const tensor_view *input, const ptq_env *env, run_times *t,
                     ptq_error *err)
{
    enum { WARM_UP = 3 };
    double *ms = mem_array((size_t)t->n, sizeof *ms);
    if (!ms)
        return error_no_memory(err, (size_t)t->n * sizeof *ms, "timings");
    ptq_status status = PTQ_OK;
    for (int i = -WARM_UP; i < t->n && status == PTQ_OK; i++) {
        status = env_check_cancel(env, err);
        double start = clock_ms();
        if (status == PTQ_OK)
            status = session_run(s, input, 1, err);
        if (i >= 0)
            ms[i] = clock_ms() - start;
    }
    if (status == PTQ_OK)
        summarise(ms, t);
    mem_free(ms);
    return status;
}

json_t *run_times_json(const run_times *t)
{
    json_t *o = json_object();
    put_real(o, "min", t->min);
    put_real(o, "median", t->median);
    put_real(o, "mean", t->mean);
    put_real(o, "p90", t->p90);
    put_real(o, "p99", t->p99);
    put_real(o, "max", t->max);
    return o;
}
