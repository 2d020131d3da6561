/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/quant/quant_fixture.h — test_net() with settings from a text, and made-up ranges. */
#ifndef QUANT_FIXTURE_H
#define QUANT_FIXTURE_H

#include "base/env.h"
#include "base/mem.h"
#include "quant/group_range.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

static inline void fill(histogram *h, const float *x, size_t n)
{
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    assert_ok(histogram_init(h, false, &err));
    value_rows rows = {x, 1, n, n};
    assert_ok(histogram_add(h, pool, &rows, &err));
    histogram_pool_destroy(pool);
}

typedef struct fixture {
    graph *g;
    quant_config *config;
    quant_options options;
    quant_points points;
    ranges *r;
    char log[2048];
} fixture;

static inline void keep_log(void *user, ptq_log_level level, const char *message)
{
    fixture *f = user;
    (void)level;
    size_t used = strlen(f->log);
    snprintf(f->log + used, sizeof f->log - used, "%s\n", message);
}

/* "cat" reaches twice as far as "add", which c5 and c4 read. */
static inline fixture start(const char *yaml)
{
    static const struct {
        const char *name;
        float max;
    } tensors[] = {{"images", 1}, {"c0.act", 2}, {"c1.act", 3}, {"add", 4},      {"cat", 8},
                   {"pool", 6},   {"up", 7},     {"cat2", 9},   {"output", 640}, {"c7", 5}};
    enum { N = sizeof tensors / sizeof *tensors };
    fixture f = {.g = test_net(3)};
    quant_options_init(&f.options);
    f.options.method = AMAX_MAX;
    f.options.share_scales = true;
    assert_ok(quant_config_parse(yaml, strlen(yaml), "q.yaml", &f.config, &err));
    assert_ok(quant_points_find(f.g, f.config, &f.options, &f.points, &err));
    assert_ok(ranges_create(N, false, &f.r, &err));
    for (int i = 0; i < N; i++) {
        float x[1000];
        for (int k = 0; k < 1000; k++)
            x[k] = tensors[i].max * (float)k / 999;
        fill(&f.r->items[i].values, x, 1000);
        f.r->items[i].name = mem_strdup(tensors[i].name);
        f.r->items[i].has_histogram = true;
    }
    assert_ok(ranges_solve(f.r, 99.99, 1, &err));
    return f;
}

static inline void stop(fixture *f)
{
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    ranges_destroy(f->r);
    graph_destroy(f->g);
}

#endif
