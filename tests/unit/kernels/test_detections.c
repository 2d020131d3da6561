/* SPDX-License-Identifier: Apache-2.0 */
/* A detector's output to rows in pixels. Expected: YOLOX's decode_outputs() (xy = (o + cell) *
 * stride, wh = exp(o) * stride, levels 8, 16, 32) and YOLOv8's columns, worked by hand. */
#include "test.h"

#include "kernels/kernel.h"

enum { HEIGHT = 32, WIDTH = 64, N_CELLS = 4 * 8 + 2 * 4 + 1 * 2 };

static void run(const view *x, const view *y, bool is_columns)
{
    kernel_args a = {.n = 2, .t = {*x, *y}};
    a.p.detections = (detections_param){is_columns, HEIGHT, WIDTH};
    const kernel *k = kernel_choose(KERNEL_DETECTIONS, &a, CPU_REF);
    for (int part = 0; part < 3; part++)
        k->run(&a, part, 3);
}

static void cells_become_pixels(void **state)
{
    (void)state;
    float in[N_CELLS][6] = {{0}}, out[N_CELLS][6];
    const int64_t dim[3] = {1, N_CELLS, 6};
    view x = view_dense(DTYPE_F32, 3, dim), y = x;
    x.data = (char *)in;
    y.data = (char *)out;
    /* level 8, row 1, column 2; level 16, row 1, column 3; level 32, column 1 */
    static const int rows[3] = {8 + 2, 32 + 4 + 3, 32 + 8 + 1};
    for (int i = 0; i < 3; i++) {
        const float raw[6] = {0.5f, -0.25f, logf(3), logf(0.5f), 0.75f, 0.125f};
        memcpy(in[rows[i]], raw, sizeof raw);
    }
    run(&x, &y, false);
    static const float want[3][6] = {{2.5f * 8, 0.75f * 8, 24, 4, 0.75f, 0.125f},
                                     {3.5f * 16, 0.75f * 16, 48, 8, 0.75f, 0.125f},
                                     {1.5f * 32, -0.25f * 32, 96, 16, 0.75f, 0.125f}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 6; k++)
            assert_float_equal(out[rows[i]][k], want[i][k], 1e-4f);
    assert_float_equal(out[3][0], 3 * 8, 0); /* a zero is the cell itself, as large as its stride */
    assert_float_equal(out[3][2], 8, 0);
}

static void columns_become_rows(void **state)
{
    (void)state;
    float in[6][3], out[3][7];
    const int64_t from[3] = {1, 6, 3}, to[3] = {1, 3, 7};
    view x = view_dense(DTYPE_F32, 3, from), y = view_dense(DTYPE_F32, 3, to);
    x.data = (char *)in;
    y.data = (char *)out;
    for (int i = 0; i < 6; i++)
        for (int row = 0; row < 3; row++)
            in[i][row] = (float)(10 * i + row);
    run(&x, &y, true);
    for (int row = 0; row < 3; row++) {
        const float want[7] = {(float)row,
                               (float)(10 + row),
                               (float)(20 + row),
                               (float)(30 + row),
                               1, /* no objectness */
                               (float)(40 + row),
                               (float)(50 + row)};
        assert_memory_equal(out[row], want, sizeof want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_become_pixels),
        cmocka_unit_test(columns_become_rows),
    };
    return cmocka_run_group_tests_name("detections", tests, NULL, NULL);
}
