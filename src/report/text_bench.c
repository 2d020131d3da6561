/* SPDX-License-Identifier: Apache-2.0 */
/* The bench table: latency, throughput, share of the measured peak, and time per layer. */
#include <math.h>

#include "report/table.h"
#include "report/view.h"

static void print_layers(str *out, const json_t *layers, int limit)
{
    if (json_array_size(layers) == 0)
        return;
    double total = 0;
    for (size_t i = 0; i < json_array_size(layers); i++)
        total += fmax(0, field_number(json_array_get(layers, i), "ms"));
    table t = TABLE_INIT("llllrrrr");
    table_row(&t, (const char *[]){"layer", "op", "kernel", "runs in", "ms", "share", "Gop/s",
                                   "of peak"});
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        double ms = field_number(layer, "ms");
        table_cell(&t, "%s", field_text(layer, "name", field_text(layer, "node", "?")));
        table_cell(&t, "%s", field_text(layer, "op", ""));
        table_cell(&t, "%s", field_text(layer, "kernel", ""));
        table_cell(&t, "%s", field_text(layer, "precision", ""));
        table_number(&t, 3, ms);
        table_cell(&t, "%.1f %%", total > 0 && ms > 0 ? 100 * ms / total : 0);
        double gop = field_number(layer, "gop"), of_peak = field_number(layer, "peak_fraction");
        table_number(&t, 1, gop > 0 ? gop / ms * 1e3 : (double)NAN);
        if (isnan(of_peak))
            table_cell(&t, "-");
        else
            table_cell(&t, "%.0f %%", 100 * of_peak);
    }
    table_print(&t, out, 2, limit);
}

static void print_latency(str *out, const json_t *ms)
{
    static const char *const KEYS[] = {"min", "median", "mean", "p90", "p99", "max"};
    str_add(out, "  latency   ");
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (!isnan(field_number(ms, KEYS[i])))
            str_addf(out, "  %s %.2f", KEYS[i], field_number(ms, KEYS[i]));
    str_add(out, " ms\n");
}

static void print_run(str *out, const report_view *view, const json_t *run)
{
    str_addf(out, "%s", field_text(run, "precision", "?"));
    double threads = field_number(run, "threads");
    if (!isnan(threads))
        str_addf(out, ", %.0f thread%s", threads, threads > 1 ? "s" : "");
    double batch = field_number(view->config, "batch"), size = field_number(view->config, "imgsz");
    if (!isnan(batch) && !isnan(size))
        str_addf(out, ", batch %.0f, %.0fx%.0f", batch, size, size);
    str_add(out, "\n");
    print_latency(out, field_at(run, "latency_ms"));
    double load = field_number(view->result, "load_ms"), first = field_number(run, "first_run_ms");
    double rate = field_number(run, "images_per_s"), rss = field_number(run, "rss_mib");
    double gop = field_number(run, "gop"), share = field_number(run, "peak_fraction");
    if (!isnan(rate))
        str_addf(out, "  throughput  %.1f images/s\n", rate);
    if (!isnan(gop) && !isnan(share))
        str_addf(out, "  compute     %.1f Gop in %.1f Gop/s, %.0f %% of the peak measured here\n",
                 gop, gop / field_median(run, "latency_ms") * 1e3, 100 * share);
    if (!isnan(rss))
        str_addf(out, "  memory      %.0f MiB\n", rss);
    if (!isnan(load) && !isnan(first))
        str_addf(out, "  start       loaded in %.0f ms, first result %.0f ms later\n", load, first);
    print_layers(out, field_at(run, "layers"), view->limit);
}

void text_bench(str *out, const report_view *view)
{
    const json_t *runs = field_at(view->result, "runs");
    for (size_t i = 0; i < json_array_size(runs); i++)
        print_run(out, view, json_array_get(runs, i));
}
