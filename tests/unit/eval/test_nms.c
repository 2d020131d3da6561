/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/clock.h"
#include "eval/detect.h"
#include "golden.h"

/* The algorithm as the specification words it (eval.md §2): every candidate, a stable sort, every
 * pair of the moved boxes. */
typedef struct candidate {
    float box[4], moved[4], score;
    int cls, order;
    bool is_gone;
} candidate;

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->order - y->order;
}

static float std_max(float a, float b)
{
    return a < b ? b : a;
}

static float std_min(float a, float b)
{
    return b < a ? b : a;
}

static float area(const float *b)
{
    return (b[2] - b[0]) * (b[3] - b[1]);
}

static bool overlaps(const float *a, const float *b, double iou)
{
    float w = std_max(0, std_min(a[2], b[2]) - std_max(a[0], b[0]));
    float h = std_max(0, std_min(a[3], b[3]) - std_max(a[1], b[1]));
    float inter = w * h;
    return (double)(inter / (area(a) + area(b) - inter)) > iou;
}

static candidate *list_candidates(const predictions *p, const nms_options *o, int *n)
{
    candidate *c = malloc((size_t)p->n_rows * (size_t)p->n_classes * sizeof *c + 1);
    assert_non_null(c);
    *n = 0;
    for (int r = 0; r < p->n_rows; r++) {
        const float *row = p->rows + (size_t)r * (size_t)(p->n_classes + 5);
        int best = 0;
        for (int j = 1; j < p->n_classes; j++)
            best = row[5 + j] * row[4] > row[5 + best] * row[4] ? j : best;
        for (int j = 0; j < p->n_classes; j++) {
            float score = p->n_classes == 1 ? row[4] : row[5 + j] * row[4];
            if (!(row[4] > o->conf) || !(score > o->conf) || (!o->multi_label && j != best))
                continue;
            candidate *one = &c[*n];
            *one = (candidate){.score = score, .cls = j, .order = (*n)++};
            for (int k = 0; k < 4; k++) {
                float half = row[2 + k % 2] / 2;
                one->box[k] = k < 2 ? row[k % 2] - half : row[k % 2] + half;
                one->moved[k] = one->box[k] + (o->agnostic ? 0 : (float)j * 4096);
            }
        }
    }
    qsort(c, (size_t)*n, sizeof *c, by_score);
    if (*n > o->max_nms)
        *n = o->max_nms;
    return c;
}

static int literal_nms(const predictions *p, const nms_options *o, detection *out)
{
    int n, kept = 0;
    candidate *c = list_candidates(p, o, &n);
    for (int i = 0; i < n; i++) {
        if (c[i].is_gone)
            continue;
        for (int j = i + 1; j < n; j++)
            if (overlaps(c[i].moved, c[j].moved, o->iou))
                c[j].is_gone = true;
        if (kept < o->max_det)
            out[kept++] = (detection){c[i].box[0], c[i].box[1], c[i].box[2],
                                      c[i].box[3], c[i].score,  c[i].cls};
    }
    free(c);
    return kept;
}

static void compare_with_literal(const predictions *p, const nms_options *o)
{
    ptq_error err;
    nms *n;
    const detection *dets;
    int n_dets;
    detection *want = malloc((size_t)o->max_det * sizeof *want);
    assert_non_null(want);
    int n_want = literal_nms(p, o, want);
    assert_ok(nms_create(&n, &err));
    for (int again = 0; again < 2; again++) { /* scratch memory must not remember */
        assert_ok(nms_run(n, p, o, &dets, &n_dets, &err));
        assert_int_equal(n_dets, n_want);
        assert_memory_equal(dets, want, (size_t)n_dets * sizeof *dets);
    }
    nms_destroy(n);
    free(want);
}

/* Random boxes whose scores tie often; `spread` is the range of the centres. */
static float *random_rows(test_rng *r, int n_rows, int n_classes, double spread)
{
    float *rows = malloc((size_t)n_rows * (size_t)(n_classes + 5) * sizeof *rows);
    assert_non_null(rows);
    for (int i = 0; i < n_rows; i++) {
        float *row = rows + (size_t)i * (size_t)(n_classes + 5);
        row[0] = (float)(test_uniform(r) * spread);
        row[1] = (float)(test_uniform(r) * spread);
        row[2] = (float)(test_uniform(r) * 200 + 10);
        row[3] = (float)(test_uniform(r) * 200 + 10);
        for (int j = 4; j < n_classes + 5; j++)
            row[j] = (float)floor(test_uniform(r) * 32) / 32;
    }
    return rows;
}

static void equals_the_literal_algorithm(void **state)
{
    (void)state;
    test_rng r = {1};
    static const struct {
        int n_rows, n_classes;
        double spread; /* 20000: classes reach into each other's plane */
    } sets[] = {{300, 3, 400}, {200, 1, 300}, {150, 5, 20000}, {0, 4, 1}, {1, 2, 100}};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        for (int variant = 0; variant < 8; variant++) {
            float *rows = random_rows(&r, sets[s].n_rows, sets[s].n_classes, sets[s].spread);
            predictions p = {rows, sets[s].n_rows, sets[s].n_classes};
            nms_options o = nms_options_evaluation();
            o.conf = 0.1f;
            o.multi_label = variant & 1;
            o.agnostic = variant & 2;
            o.iou = variant & 4 ? 0.65 : 0.2;
            o.max_det = variant == 5 ? 7 : 300;
            o.max_nms = variant >= 6 ? 100 : 30000;
            compare_with_literal(&p, &o);
            free(rows);
        }
    }
}

/* More than 200 candidates for 100 places: the first are thinned out before the last are seen, some
 * of which belong between them. Scores share few leading bits, which decide what is thinned out. */
static void late_candidates_find_their_place(void **state)
{
    (void)state;
    test_rng r = {2};
    nms_options o = nms_options_evaluation();
    o.max_nms = 100;
    for (int n_rows = 60; n_rows < 160; n_rows++) {
        float *rows = random_rows(&r, n_rows, 3, 4000);
        for (int i = 0; i < n_rows; i++) {
            rows[i * 8 + 4] = 1;
            for (int j = 5; j < 8; j++)
                rows[i * 8 + j] = (float)(0.5 + test_uniform(&r) / 64);
        }
        o.multi_label = n_rows % 4 != 0;
        compare_with_literal(&(predictions){rows, n_rows, 3}, &o);
        free(rows);
    }
}

/* Candidates in thousands for 100 places, and a row in sixteen, which is all that is looked at
 * beforehand, promises many more good ones than there are. */
static void false_promises_cost_no_candidate(void **state)
{
    (void)state;
    test_rng r = {3};
    nms_options o = nms_options_evaluation();
    o.max_nms = 100;
    for (int every = 1; every <= 17; every++) {
        float *rows = random_rows(&r, 2000, 3, 4000);
        for (int i = 0; i < 2000; i++)
            rows[i * 8 + 4] = i % every == 0 && i < 1000 ? 1 : 0.03125f;
        compare_with_literal(&(predictions){rows, 2000, 3}, &o);
        free(rows);
    }
}

/* The best candidates by far lie on each other: of the few that are looked at first too few remain,
 * and what is wanted lies among those that were dropped, many of them with the same score. */
static void what_the_best_cover_is_found_below_them(void **state)
{
    (void)state;
    test_rng r = {4};
    static const int most_dets[] = {1, 5, 30}, most_candidates[] = {100, 700, 30000};
    for (int variant = 0; variant < 18; variant++) {
        int n_rows = 900, nc = variant < 9 ? 1 : 2, width = nc + 5;
        float *rows = random_rows(&r, n_rows, nc, 4000);
        for (int i = 0; i < n_rows; i++) {
            bool is_covered = test_uniform(&r) < 0.7;
            float *row = rows + (ptrdiff_t)i * width;
            row[4] = is_covered ? 1 : 0.25f;
            if (is_covered)
                row[0] = row[1] = row[2] = row[3] = 100;
        }
        nms_options o = nms_options_evaluation();
        o.max_det = most_dets[variant % 3];
        o.max_nms = most_candidates[variant / 3 % 3];
        compare_with_literal(&(predictions){rows, n_rows, nc}, &o);
        free(rows);
    }
}

/* A box of class 0 at x = 4096 + 50 lies on a box of class 1 at x = 50 once that is moved: the
 * original suppresses it, and so do we. */
static void far_boxes_meet_other_classes(void **state)
{
    (void)state;
    float rows[2][7] = {{4146, 4146, 40, 40, 1, 0.9f, 0}, {50, 50, 40, 40, 1, 0, 0.8f}};
    predictions p = {rows[0], 2, 2};
    nms_options o = nms_options_evaluation();
    detection want[300];
    assert_int_equal(literal_nms(&p, &o, want), 1);
    compare_with_literal(&p, &o);
    rows[0][0] = 50;
    assert_int_equal(literal_nms(&p, &o, want), 2);
    compare_with_literal(&p, &o);
}

static void strange_numbers_do_no_harm(void **state)
{
    (void)state;
    float rows[6][7] = {
        {NAN, 10, 5, 5, 0.9f, 0.9f, 0.1f},      {10, 10, INFINITY, 5, 0.8f, 0.9f, 0.8f},
        {10, 10, 5, 5, NAN, 0.9f, 0.1f},        {10, 10, 5, 5, 0.9f, NAN, 0.5f},
        {10, 10, -5, 5, INFINITY, 0.9f, 0.25f}, {10, 10, 0, 0, 0.7f, 0.9f, 0.25f},
    };
    predictions p = {rows[0], 6, 2};
    nms_options o = nms_options_evaluation();
    ptq_error err;
    nms *n;
    const detection *dets;
    int n_dets;
    compare_with_literal(&p, &o);
    assert_ok(nms_create(&n, &err));
    o.iou = -0.5;
    assert_status(nms_run(n, &p, &o, &dets, &n_dets, &err), PTQ_USAGE);
    o.iou = 0.65;
    p.n_classes = 0;
    assert_status(nms_run(n, &p, &o, &dets, &n_dets, &err), PTQ_SHAPE);
    p.n_classes = 1 << 30;
    p.n_rows = 1 << 30;
    assert_status(nms_run(n, &p, &o, &dets, &n_dets, &err), PTQ_SHAPE);
    nms_destroy(n);
}

/* Expected: torchvision's nms on the same tensors, exactly. */
static void check_golden(const char *pred_name, const char *nms_name)
{
    ptq_error err;
    char path[512];
    int rank;
    int64_t dims[8], want_dims[8];
    size_t count;
    float *pred = test_npy(test_shared(pred_name, path), &rank, dims, &count);
    float *want = test_npy(test_shared(nms_name, path), &rank, want_dims, &count);
    predictions p = {pred, (int)dims[1], (int)dims[2] - 5};
    nms_options o = nms_options_evaluation();
    nms *n;
    const detection *dets;
    int n_dets;
    assert_ok(nms_create(&n, &err));
    assert_ok(nms_run(n, &p, &o, &dets, &n_dets, &err));
    assert_int_equal(n_dets, want_dims[0]);
    for (int i = 0; i < n_dets; i++) {
        assert_memory_equal(&dets[i], want + 6 * i, 5 * sizeof(float));
        assert_int_equal(dets[i].cls, (int)want[6 * i + 5]);
    }
    nms_destroy(n);
    free(pred);
    free(want);
}

static void yolov7_golden_image(void **state)
{
    (void)state;
    check_golden("shapes/golden/img0_pred.npy", "shapes/golden/img0_nms.npy");
    check_golden("shapes/golden/img2_pred.npy", "shapes/golden/img2_nms.npy");
    check_golden("shapes-tiny/golden/img0_pred.npy", "shapes-tiny/golden/img0_nms.npy");
}

static void check_golden_list(const predictions *p, const nms_options *o, const json_t *want)
{
    ptq_error err;
    nms *n;
    const detection *dets;
    int n_dets;
    assert_ok(nms_create(&n, &err));
    assert_ok(nms_run(n, p, o, &dets, &n_dets, &err));
    assert_int_equal(n_dets, json_array_size(want));
    for (int i = 0; i < n_dets; i++) {
        const json_t *one = json_array_get(want, (size_t)i);
        assert_int_equal(dets[i].cls, (int)golden_number(one, "cls"));
        assert_true(dets[i].score == (float)golden_number(one, "conf"));
        assert_true(dets[i].x1 == (float)golden_number(one, "xyxy_letterbox.0"));
        assert_true(dets[i].y1 == (float)golden_number(one, "xyxy_letterbox.1"));
        assert_true(dets[i].x2 == (float)golden_number(one, "xyxy_letterbox.2"));
        assert_true(dets[i].y2 == (float)golden_number(one, "xyxy_letterbox.3"));
    }
    nms_destroy(n);
}

static void yolov5_golden_images(void **state)
{
    (void)state;
    static const char *const tags[] = {"square", "wide"};
    for (int t = 0; t < 2; t++) {
        char name[64], path[512];
        int rank;
        int64_t dims[8];
        size_t count;
        snprintf(name, sizeof name, "yolov5n/golden/%s_decoded.npy", tags[t]);
        float *pred = test_npy(test_shared(name, path), &rank, dims, &count);
        snprintf(name, sizeof name, "yolov5n/golden/%s_nms.json", tags[t]);
        json_t *want = golden_json(test_shared(name, path));
        predictions p = {pred, (int)dims[1], (int)dims[2] - 5};
        nms_options o = nms_options_evaluation();
        check_golden_list(&p, &o, json_object_get(want, "nms_conf001_iou065_multilabel"));
        o.conf = 0.25f;
        o.iou = 0.45;
        o.multi_label = false;
        check_golden_list(&p, &o, json_object_get(want, "nms_conf25_iou045_singlelabel"));
        json_decref(want);
        free(pred);
    }
}

/* Every one of 25,200 x 80 scores is a candidate: still one image in well under a second. */
static void a_hostile_network_is_survived(void **state)
{
    (void)state;
    ptq_error err;
    test_rng r = {3};
    enum { ROWS = 25200, CLASSES = 80 };
    float *rows = random_rows(&r, ROWS, CLASSES, 640);
    for (size_t i = 0; i < ROWS; i++)
        rows[i * (CLASSES + 5) + 4] += 0.5f;
    predictions p = {rows, ROWS, CLASSES};
    nms_options o = nms_options_evaluation();
    nms *n;
    const detection *dets;
    int n_dets;
    assert_ok(nms_create(&n, &err));
    double start = clock_ms();
    assert_ok(nms_run(n, &p, &o, &dets, &n_dets, &err));
    print_message("2 million candidates: %.1f ms\n", clock_ms() - start);
    assert_int_equal(n_dets, 300);
    nms_destroy(n);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_literal_algorithm),
        cmocka_unit_test(late_candidates_find_their_place),
        cmocka_unit_test(false_promises_cost_no_candidate),
        cmocka_unit_test(what_the_best_cover_is_found_below_them),
        cmocka_unit_test(far_boxes_meet_other_classes),
        cmocka_unit_test(strange_numbers_do_no_harm),
        cmocka_unit_test(yolov7_golden_image),
        cmocka_unit_test(yolov5_golden_images),
        cmocka_unit_test(a_hostile_network_is_survived),
    };
    return cmocka_run_group_tests_name("nms", tests, NULL, NULL);
}
