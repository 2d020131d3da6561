/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel of kernels.def against the reference of its family: sizes around the tiles, primes,
 * odd layouts, gaps, extreme values, canaries, and any number of parts. Adding a line to the list
 * is all it takes to be judged here. */
#include "test.h"

#include "kernels/kernel.h"

enum { CANARY = 64, N_CASES = 400 };

/* Memory of one operand; `base` is where its view's data points into. */
typedef struct memory {
    char *all;
    size_t bytes; /* between the canaries */
} memory;

typedef struct kernel_case {
    kernel_args args;
    memory memory[KERNEL_MAX_OPERANDS];
} kernel_case;

static int64_t pick(test_rng *rng, const int64_t *from, int n)
{
    return from[(int)(test_uniform(rng) * n)];
}

static int64_t any_size(test_rng *rng)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65};
    return pick(rng, sizes, sizeof sizes / sizeof sizes[0]);
}

static int below(test_rng *rng, int n)
{
    return (int)(test_uniform(rng) * n);
}

static size_t bytes_of(const view *v)
{
    int64_t last = 0;
    for (int i = 0; i < v->rank; i++)
        last += (v->dim[i] - 1) * v->stride[i];
    return (size_t)(last + 1) * view_type_bytes(v->type);
}

static double random_value(test_rng *rng, dtype type, bool extremes)
{
    if (extremes) {
        static const double odd[] = {0, -0.0, 0.5, -0.5, 1.5, 2.5, 127, -128, 255, 1e30, -1e30};
        return odd[below(rng, sizeof odd / sizeof odd[0])];
    }
    return test_normal(rng) * (type == DTYPE_F32 || type == DTYPE_BF16 ? 3 : 60);
}

/* Fills an operand's memory; 64 readable bytes follow, as everywhere. */
static void allocate(test_rng *rng, view *v, memory *m)
{
    size_t size = view_type_bytes(v->type);
    bool extremes = test_uniform(rng) < 0.125;
    m->bytes = bytes_of(v);
    m->all = malloc(m->bytes + 2 * CANARY + 8);
    memset(m->all, 0x5a, m->bytes + 2 * CANARY);
    for (size_t i = 0; i < m->bytes; i += size)
        view_store(m->all + CANARY + i, v->type, random_value(rng, v->type, extremes));
    v->data = m->all + CANARY;
}

/* A view of `dim` in any order of dimensions, some with gaps; `broadcast`: some with stride 0. */
static view random_view(test_rng *rng, dtype type, int rank, const int64_t *dim, bool broadcast)
{
    view v = view_dense(type, rank, dim);
    int order[VIEW_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        int j = below(rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    if (test_uniform(rng) < 0.5) /* mostly row-major, to meet the fast kernels */
        for (int i = 0; i < rank; i++)
            order[i] = rank - 1 - i;
    int64_t stride = 1;
    for (int i = 0; i < rank; i++) {
        v.stride[order[i]] = stride;
        stride = stride * dim[order[i]] + (i == 0 && test_uniform(rng) < 0.3 ? 3 : 0);
    }
    for (int i = 0; i < rank; i++)
        if (broadcast && test_uniform(rng) < 0.4)
            v.stride[i] = 0;
    return v;
}

static dtype pick_type(test_rng *rng, const dtype *types, int n)
{
    return types[below(rng, n)];
}

static const dtype floats[] = {DTYPE_F32, DTYPE_BF16};
static const dtype numbers[] = {DTYPE_F32, DTYPE_BF16, DTYPE_I8, DTYPE_U8};
static const dtype codes[] = {DTYPE_I8, DTYPE_U8};
static const dtype all_types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_I8, DTYPE_U8, DTYPE_I64, DTYPE_F16};

static void pointwise_types(test_rng *rng, kernel_family family, dtype type[KERNEL_MAX_OPERANDS])
{
    for (int i = 0; i < KERNEL_MAX_OPERANDS; i++)
        type[i] = pick_type(rng, floats, 2);
    if (family == KERNEL_COPY) {
        type[0] = pick_type(rng, all_types, 6);
        type[1] = test_uniform(rng) < 0.5 ? type[0] : pick_type(rng, floats, 2);
    } else if (family == KERNEL_QUANTIZE) {
        type[1] = DTYPE_F32;
        type[2] = type[3] = pick_type(rng, codes, 2);
    } else if (family == KERNEL_DEQUANTIZE) {
        type[1] = DTYPE_F32;
        type[0] = type[2] = pick_type(rng, codes, 2);
    }
}

/* Scales are positive, and zero points are small enough to leave the codes some room. */
static void tame_parameters(kernel_case *c, kernel_family family)
{
    if (family != KERNEL_QUANTIZE && family != KERNEL_DEQUANTIZE)
        return;
    const memory *scale = &c->memory[1];
    for (size_t i = 0; i < scale->bytes; i += sizeof(float)) {
        double s = fabs(view_load(scale->all + CANARY + i, DTYPE_F32));
        view_store(scale->all + CANARY + i, DTYPE_F32, s > 1e-3 && s < 1e3 ? s / 16 : 0.037);
    }
}

/* A picture that comes as planes and leaves as pixels; the other operands are single values. */
static void planar_views(test_rng *rng, kernel_args *a, const dtype type[KERNEL_MAX_OPERANDS])
{
    int64_t dim[4] = {1 + below(rng, 2), 1 + below(rng, 5), 1 + below(rng, 9), 1 + below(rng, 99)};
    for (int k = 0; k < a->n; k++) {
        a->t[k] = view_dense(type[k], 4, dim);
        for (int i = 0; i < 4 && k > 0; i++)
            a->t[k].stride[i] = 0;
    }
    a->t[a->n - 1] = view_nhwc(type[a->n - 1], dim, dim[1]);
}

static void pointwise_case(test_rng *rng, kernel_family family, kernel_case *c)
{
    static const int n_operands[] = {2, 2, 3, 4, 4, 6};
    dtype type[KERNEL_MAX_OPERANDS];
    int64_t dim[4];
    int rank = 1 + below(rng, 4);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        dim[i] = count > 1000 ? 1 + below(rng, 3) : any_size(rng);
        count *= dim[i];
    }
    if (rank == 1 && test_uniform(rng) < 0.5)
        dim[0] = 500 + below(rng, 600); /* beyond a chunk */
    kernel_args *a = &c->args;
    a->n = n_operands[family];
    pointwise_types(rng, family, type);
    for (int k = 0; k < a->n; k++)
        a->t[k] = random_view(rng, type[k], rank, dim, k > 0 && k < a->n - 1);
    if (test_uniform(rng) < 0.25)
        planar_views(rng, a, type);
    a->p.axis = 0;
    if (family == KERNEL_UNARY)
        a->p.unary = (unary_param){(unary_op)(1 + below(rng, UNARY_ROUND_F16)), -0.7f, 0.9f};
    if (family == KERNEL_BINARY)
        a->p.binary = (binary_op)below(rng, BINARY_MIN + 1);
    if (family == KERNEL_BATCH_NORM)
        a->p.epsilon = 1e-3f;
    if (family == KERNEL_QUANTIZE)
        a->p.from_half = test_uniform(rng) < 0.5;
    for (int k = 0; k < a->n; k++)
        allocate(rng, &a->t[k], &c->memory[k]);
    tame_parameters(c, family);
    view_coalesce(a->t, a->n);
}

static view random_image(test_rng *rng, dtype type, const int64_t dim[4])
{
    return view_nhwc(type, dim, dim[1] + (test_uniform(rng) < 0.3 ? 5 : 0));
}

static void pool_case(test_rng *rng, kernel_case *c)
{
    static const int64_t spans[] = {1, 2, 3, 5, 9, 13};
    dtype type = pick_type(rng, numbers, 4);
    pool_param p = {.count_pad = test_uniform(rng) < 0.5};
    int64_t in[4] = {1 + below(rng, 2), any_size(rng), 0, 0}, out[4] = {in[0], in[1]};
    for (int i = 0; i < 2; i++) {
        p.kernel[i] = (int)pick(rng, spans, 6);
        p.stride[i] = 1 + below(rng, 2);
        p.dilation[i] = 1 + below(rng, 2);
        p.pad[i] = p.pad[i + 2] = below(rng, p.kernel[i] / 2 + 1);
        int reach = p.dilation[i] * (p.kernel[i] - 1) + 1;
        in[2 + i] = reach + below(rng, 10);
        out[2 + i] = (in[2 + i] + 2 * p.pad[i] - reach) / p.stride[i] + 1;
    }
    c->args.n = 2;
    c->args.p.pool = p;
    c->args.t[0] = random_image(rng, type, in);
    c->args.t[1] = random_image(rng, type, out);
    for (int k = 0; k < 2; k++)
        allocate(rng, &c->args.t[k], &c->memory[k]);
}

static void resize_case(test_rng *rng, kernel_case *c)
{
    dtype type = pick_type(rng, numbers, 4);
    resize_param p = {.is_linear = test_uniform(rng) < 0.3,
                      .coord = (resample_coord)below(rng, 4),
                      .nearest = (resample_round)below(rng, 4)};
    int64_t in[4] = {1, any_size(rng), 1 + below(rng, 9), 1 + below(rng, 9)}, out[4] = {1, in[1]};
    for (int i = 0; i < 2; i++) {
        p.scale[i] = (float)(0.5 + test_uniform(rng) * 2.5);
        if (test_uniform(rng) < 0.5)
            p.scale[i] = 2;
        out[2 + i] = (int64_t)fmax(1, floor((double)in[2 + i] * (double)p.scale[i]));
    }
    c->args.n = 2;
    c->args.p.resize = p;
    c->args.t[0] = random_image(rng, type, in);
    c->args.t[1] = random_image(rng, type, out);
    for (int k = 0; k < 2; k++)
        allocate(rng, &c->args.t[k], &c->memory[k]);
}

static void decode_case(test_rng *rng, kernel_case *c)
{
    decode_param p = {1 + below(rng, 4), 6 + below(rng, 90), 8, {0}, 0};
    int64_t in[4] = {1 + below(rng, 2), p.n_anchors * p.n_values, 1 + below(rng, 5),
                     1 + below(rng, 5)};
    p.grid[0] = in[2];
    p.grid[1] = in[3];
    if (below(rng, 2)) { /* a piece of each image: in one row here, in several of its grid */
        p.grid[1] += below(rng, 3);
        in[3] = in[2] * p.grid[1] - below(rng, 2);
        in[3] = in[3] > 1 ? in[3] - 1 : 1;
        in[2] = 1;
        p.first = below(rng, (int)(p.grid[0] * p.grid[1] - in[3]) + 1);
    }
    int64_t anchors[2] = {p.n_anchors, 2};
    int64_t out[3] = {in[0], p.n_anchors * p.grid[0] * p.grid[1], p.n_values};
    c->args.n = 3;
    c->args.p.decode = p;
    c->args.t[0] = random_image(rng, pick_type(rng, floats, 2), in);
    c->args.t[1] = view_dense(DTYPE_F32, 2, anchors);
    c->args.t[2] = view_dense(DTYPE_F32, 3, out);
    c->args.t[2].stride[1] += 2; /* rows of a longer whole */
    c->args.t[2].stride[0] = (out[1] + 3) * c->args.t[2].stride[1];
    for (int k = 0; k < 3; k++)
        allocate(rng, &c->args.t[k], &c->memory[k]);
    for (int64_t i = 0; i < 2 * p.n_anchors; i++)
        ((float *)(void *)c->args.t[1].data)[i] = (float)(1 + 100 * test_uniform(rng));
}

/* False: this family has no fast kernels yet, and no generator. */
static bool make_case(test_rng *rng, kernel_family family, kernel_case *c)
{
    memset(c, 0, sizeof *c);
    if (kernel_is_pointwise(family))
        pointwise_case(rng, family, c);
    else if (family == KERNEL_MAX_POOL || family == KERNEL_AVERAGE_POOL)
        pool_case(rng, c);
    else if (family == KERNEL_RESIZE)
        resize_case(rng, c);
    else if (family == KERNEL_DECODE)
        decode_case(rng, c);
    else
        return false;
    return true;
}

static void free_case(kernel_case *c)
{
    for (int k = 0; k < KERNEL_MAX_OPERANDS; k++)
        free(c->memory[k].all);
}

/* Runs into a fresh copy of the output's memory. */
static char *run(const kernel *k, const kernel_case *c, int n_parts)
{
    int last = c->args.n - 1;
    size_t bytes = c->memory[last].bytes + 2 * CANARY;
    char *out = malloc(bytes);
    memset(out, 0x5a, bytes);
    kernel_args a = c->args;
    a.t[last].data = out + CANARY;
    for (int part = 0; part < n_parts; part++)
        k->run(&a, part, n_parts);
    for (size_t i = 0; i < CANARY; i++) {
        assert_int_equal(out[i], 0x5a);
        assert_int_equal(out[bytes - 1 - i], 0x5a);
    }
    return out;
}

/* Also the gaps must be equal: nobody writes there. */
static bool agrees(const kernel *k, const kernel_case *c, const char *got, const char *want)
{
    const view *out = &c->args.t[c->args.n - 1];
    size_t size = view_type_bytes(out->type);
    double tolerance = k->tolerance;
    if (tolerance > 0 && out->type == DTYPE_BF16)
        tolerance = 0x1p-7;
    for (size_t i = 0; i < c->memory[c->args.n - 1].bytes; i += size) {
        double a = view_load(got + CANARY + i, out->type);
        double b = view_load(want + CANARY + i, out->type);
        bool is_close = a == b || (a != a && b != b) || fabs(a - b) <= tolerance * fmax(1, fabs(b));
        if (!is_close) {
            print_error("%s: %.9g instead of %.9g at byte %zu\n", k->name, a, b, i);
            return false;
        }
    }
    return true;
}

static const kernel *reference_of(kernel_family family)
{
    int n;
    const kernel *list = kernel_list(&n), *found = NULL;
    for (int i = 0; i < n; i++)
        if (list[i].family == family)
            found = &list[i];
    return found;
}

static void judge(const kernel *k, uint64_t seed, int *done)
{
    test_rng rng = {seed};
    kernel_case c;
    if (!make_case(&rng, k->family, &c))
        fail_msg("%s: no cases are made for its family", k->name);
    if (k->can(&c.args)) {
        const kernel *ref = reference_of(k->family);
        char *want = run(ref, &c, 1), *parts = run(ref, &c, 3);
        assert_memory_equal(want, parts, c.memory[c.args.n - 1].bytes + 2 * CANARY);
        char *got = run(k, &c, 1), *shared = run(k, &c, 3);
        assert_memory_equal(got, shared, c.memory[c.args.n - 1].bytes + 2 * CANARY);
        if (!agrees(k, &c, got, want))
            fail_msg("%s differs from %s, seed %u", k->name, ref->name, (unsigned)seed);
        ++*done;
        free(want);
        free(parts);
        free(got);
        free(shared);
    }
    free_case(&c);
}

static void fast_kernels_agree_with_the_reference(void **state)
{
    (void)state;
    int n;
    const kernel *list = kernel_list(&n);
    for (int i = 0; i < n; i++) {
        int done = 0;
        if (!list[i].can || list[i].level > cpu_best())
            continue;
        for (uint64_t seed = 1; seed <= N_CASES; seed++)
            judge(&list[i], seed * 7919, &done);
        if (done < 5)
            fail_msg("%s could do %d of %d cases only", list[i].name, done, N_CASES);
    }
}

static void each_family_ends_with_its_reference(void **state)
{
    (void)state;
    for (int f = 0; f < KERNEL_FAMILY_COUNT; f++) {
        const kernel *ref = reference_of((kernel_family)f);
        assert_non_null(ref);
        assert_null(ref->can);
        assert_int_equal(ref->level, CPU_REF);
    }
}

/* The codes of `n` values with one scale, by the reference and by what is fastest here. */
static void assert_codes(const float *x, float scale, bool from_half, int n, const int8_t *want)
{
    float values[16];
    int8_t zero = 0, y[16];
    kernel_args a = {.n = 4, .p = {.from_half = from_half}};
    void *data[4] = {values, &scale, &zero, y};
    static const dtype types[4] = {DTYPE_F32, DTYPE_F32, DTYPE_I8, DTYPE_I8};
    assert_true(n <= 16);
    memcpy(values, x, (size_t)n * sizeof *x);
    for (int k = 0; k < 4; k++) {
        a.t[k] = view_dense(types[k], 1, (int64_t[]){n});
        a.t[k].data = data[k];
        if (k == 1 || k == 2)
            a.t[k].stride[0] = 0;
    }
    for (int fast = 0; fast < 2; fast++) {
        kernel_choose(KERNEL_QUANTIZE, &a, fast ? cpu_best() : CPU_REF)->run(&a, 0, 1);
        assert_memory_equal(y, want, (size_t)n);
    }
}

/* algorithms.md §1, "Worked": the codes of NVIDIA's guide, and three values next to a tie, where
 * the quotient by the scale decides otherwise than the product with 127/amax (93, 65, 49). */
static void codes_are_those_of_the_division(void **state)
{
    (void)state;
    static const float guide[] = {.9817f, .8796f, .9921f, .4611f, .0832f,
                                  .1784f, .3674f, .5676f, .3376f, .2119f};
    assert_codes(guide, .9921f / 127, false, 10,
                 (int8_t[]){126, 113, 127, 59, 11, 23, 47, 73, 43, 27});
    static const float ties[][2] = {{12.110719680786133f, 8.916159629821777f},
                                    {2.9036941528320312f, 1.4975744485855103f},
                                    {7.4368414878845215f, 2.8400537967681885f}};
    static const int8_t codes_of[] = {94, 66, 48};
    for (int i = 0; i < 3; i++)
        assert_codes(&ties[i][1], ties[i][0] / 127, false, 1, &codes_of[i]);
}

/* numpy.float16 makes 2.5 of 2.5004 and 3.501953125 of 3.501; 65520 and above are infinite. */
static void float16_is_rounded_before_codes(void **state)
{
    (void)state;
    static const float x[] = {2.5004f, -2.5004f, 3.501f, 1e5f};
    assert_codes(x, 1, false, 4, (int8_t[]){3, -3, 4, 127});
    assert_codes(x, 1, true, 4, (int8_t[]){2, -2, 4, 127});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_family_ends_with_its_reference),
        cmocka_unit_test(fast_kernels_agree_with_the_reference),
        cmocka_unit_test(codes_are_those_of_the_division),
        cmocka_unit_test(float16_is_rounded_before_codes),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
