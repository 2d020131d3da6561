/* SPDX-License-Identifier: Apache-2.0 */
/* The page's sections from small documents: what is shown, where it stands, and that nothing in a
 * document can break out of the page. */
#include "test.h"

#include "base/mem.h"
#include "report/html.h"

static char *page_of(const char *json)
{
    json_t *document = json_loads(json, 0, NULL);
    assert_non_null(document);
    char *page = report_html(document);
    assert_non_null(page);
    json_decref(document);
    return page;
}

static void expect(const char *page, const char *text)
{
    if (!strstr(page, text))
        fail_msg("the page lacks: %s", text);
}

static void expect_no(const char *page, const char *text)
{
    if (strstr(page, text))
        fail_msg("the page has: %s", text);
}

static const char TABLE[] =
    "{\"schema\":1,\"command\":\"quantize\",\"model\":{\"path\":\"m.pt\"},\"result\":{"
    "\"fp32\":{\"map50_95\":0.5,\"map50\":0.7,\"change\":0,\"latency_ms\":40,\"mib\":8},"
    "\"int8\":{\"map50_95\":0.48,\"map50\":0.69,\"change\":-0.02,\"change_low\":-0.031,"
    "\"change_high\":-0.004,\"latency_ms\":10,\"speedup\":4,\"mib\":2}},\"warnings\":[\"w<1>\"]}";

static void table_has_verdict_and_interval(void **state)
{
    (void)state;
    char *page = page_of(TABLE);
    expect(page, "INT8 costs 2.00 points of mAP@.5:.95 (50.00 → 48.00), runs 4.00 times as fast "
                 "and is 4.0 times smaller.");
    expect(page, "<td class=\"n\">-3.10 … -0.40</td>");
    expect(page, "Warning: w&lt;1&gt;");
    expect(page, "<a href=\"#front\">");
    expect_no(page, "id=\"layers\"");
    mem_free(page);
}

/* Dots lie where time and accuracy say: the fastest leftmost, the most accurate on top. */
static void front_places_its_points(void **state)
{
    (void)state;
    char *page =
        page_of("{\"schema\":1,\"command\":\"quantize\",\"result\":{\"chosen\":1,\"front\":["
                "{\"kept\":0,\"latency_ms\":10,\"drop\":0.02,\"pareto\":true},"
                "{\"kept\":2,\"latency_ms\":12,\"drop\":0.001,\"pareto\":true},"
                "{\"kept\":5,\"latency_ms\":15,\"drop\":0.004,\"pareto\":false}]}}");
    double x[3], y[3];
    const char *at = strstr(page, "id=\"front\"");
    assert_non_null(at);
    int n = 0;
    while (n < 3 && (at = strstr(at, "<circle class=\"q"))) {
        assert_int_equal(sscanf(strstr(at, "cx="), "cx=\"%lf\" cy=\"%lf\"", &x[n], &y[n]), 2);
        n++;
        at++;
    }
    assert_int_equal(n, 3);
    assert_true(x[0] < x[1] && x[1] < x[2]);
    assert_true(y[1] < y[2] && y[2] < y[0]);
    assert_true(fabs((x[1] - x[0]) / (x[2] - x[0]) - 0.4) < 0.01); /* 2 of 5 ms */
    expect(page, "2 in 16 bit, chosen");
    expect(page, "<tr><td>1 (chosen)</td><td class=\"n\">2</td><td class=\"n\">12.00</td>"
                 "<td class=\"n\">0.10</td>");
    mem_free(page);
}

static void confusion_shows_cells_and_lists_changes_first(void **state)
{
    (void)state;
    char *page = page_of("{\"schema\":1,\"command\":\"quantize\",\"result\":{},\"facts\":{"
                         "\"confusion\":{\"names\":[\"cat\",\"<dog>\"],\"cells\":[[0,0,9,9],"
                         "[0,1,1,4],[1,2,3,2],[2,0,1,1],[7,0,1,1]]}}}");
    expect(page, "<title>cat found as &lt;dog&gt;: 4</title>");
    const char *table = strstr(strstr(page, "id=\"confusion\""), "<details>");
    assert_non_null(table);
    const char *worst = strstr(table, "<td>cat</td><td>&lt;dog&gt;</td><td class=\"n\">1</td>"
                                      "<td class=\"n\">4</td>");
    const char *missed = strstr(table, "<td>&lt;dog&gt;</td><td>missed</td>");
    assert_true(worst && missed && worst < missed);
    expect(page, "<td>nothing</td><td>cat</td>");
    mem_free(page);
}

static void causes_stand_at_their_layer(void **state)
{
    (void)state;
    char *page = page_of(
        "{\"schema\":1,\"command\":\"quantize\",\"config\":{\"calib\":\"mse\"},\"result\":{"
        "\"causes\":[{\"layer\":\"a.conv\",\"sqnr_db\":12.5,\"findings\":[{\"cause\":\"outlier "
        "channel\",\"value\":31,\"remedy\":\"keep it in 16 bit\",\"gain_db\":4.2}]}]},\"facts\":{"
        "\"layers\":[{\"name\":\"a.conv\",\"op\":\"Conv\",\"sqnr_db\":{\"mse\":14}},{\"name\":"
        "\"b.conv\",\"op\":\"Conv\",\"sqnr_db\":{\"mse\":40}}]}}");
    expect(page, "<a href=\"#layer-a.conv\">a.conv</a> <span class=\"soft\">, SQNR 12.5 dB");
    const char *layer = strstr(page, "<details id=\"layer-a.conv\"");
    assert_non_null(layer);
    const char *finding = strstr(layer, "<b>outlier channel</b> (31): keep it in 16 bit "
                                        "<span class=\"soft\">predicted: +4.2 dB</span>");
    const char *next = strstr(layer, "<details id=\"layer-b.conv\"");
    assert_true(finding && next && finding < next);
    /* no ranking: the noisiest first */
    const char *ranking = strstr(page, "id=\"ranking\"");
    assert_true(ranking && strstr(ranking, "a.conv") < strstr(ranking, "b.conv"));
    mem_free(page);
}

/* A name without a layer on the page is no link. */
static void ranking_links_only_to_what_is_there(void **state)
{
    (void)state;
    char *page = page_of("{\"schema\":1,\"command\":\"sensitivity\",\"result\":{\"layers\":["
                         "{\"name\":\"a\",\"drop\":0.02,\"score\":0.48,\"low\":0.47,\"high\":0.49,"
                         "\"sqnr_db\":20},{\"name\":\"b\",\"drop\":0.01,\"score\":0.49}]}}");
    const char *ranking = strstr(page, "id=\"ranking\"");
    assert_non_null(ranking);
    expect(ranking, "class=\"whisker\"");
    expect(ranking, "0.0200");
    expect_no(page, "#layer-");
    mem_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_verdict_and_interval),
        cmocka_unit_test(front_places_its_points),
        cmocka_unit_test(confusion_shows_cells_and_lists_changes_first),
        cmocka_unit_test(causes_stand_at_their_layer),
        cmocka_unit_test(ranking_links_only_to_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
