/* SPDX-License-Identifier: Apache-2.0 */
#include "report/html.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_view.h"
#include "report/text.h"

static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;"
    "--card:#f6f8fa;--fp:#3b6fb6;--q:#c2570c;--h:#7a3fb0;--good:#1a7f37;--bad:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#3a424c;"
    "--paper:#0f1318;--card:#181e25;--fp:#7fb0f0;--q:#f0985a;--h:#c49af0;--good:#5fce7b;"
    "--bad:#ff8a80}}"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1rem;color:var(--ink);"
    "background:var(--paper);font:16px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;"
    "border-bottom:1px solid var(--line)}nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem}"
    "a{color:var(--fp)}.verdict{font-size:1.15rem;padding:.7rem 1rem;background:var(--card);"
    "border-left:.4rem solid var(--good)}.verdict.no{border-color:var(--bad)}"
    ".soft{color:var(--soft);font-size:.9rem}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}td.n,th.n{text-align:right}"
    "svg{max-width:100%;height:auto;display:block}.wide svg{max-width:none}"
    ".pair svg{width:100%;max-height:70vh}"
    "svg text{fill:var(--ink);font:11px system-ui,sans-serif}svg .axis{stroke:var(--line)}"
    ".fp{fill:var(--fp)}.q{fill:var(--q)}.h{fill:var(--h)}.move{fill:var(--soft)}"
    ".lfp{stroke:var(--fp);fill:none;stroke-width:2}.lq{stroke:var(--q);fill:none;"
    "stroke-width:2;stroke-dasharray:5 3}.ring{stroke:var(--ink);"
    "fill:none;stroke-width:2}.faint{opacity:.45}.edge{stroke:var(--soft);fill:none;opacity:.6}"
    ".tag{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}"
    ".whisker{stroke:var(--ink);stroke-width:1.5}.grid{display:grid;gap:1rem;"
    "grid-template-columns:repeat(auto-fit,minmax(16rem,1fr))}figure{margin:0}"
    "figcaption{font-size:.85rem;color:var(--soft);overflow-wrap:anywhere}"
    "details{border-bottom:1px solid var(--line);padding:.25rem 0}"
    "summary{cursor:pointer;overflow-wrap:anywhere}details:target{outline:2px solid var(--fp)}"
    ".key span{display:inline-block;margin-right:1rem}.key i{display:inline-block;width:.8rem;"
    "height:.8rem;margin-right:.3rem}.key i.dot{border-radius:50%;background:var(--paper);"
    "border:2px solid var(--ink)}.qdq{fill:var(--paper);stroke:var(--ink);stroke-width:1.5}"
    "svg a text,svg text a{fill:var(--fp)}.grid.wide-cells{grid-template-columns:"
    "repeat(auto-fit,minmax(min(30rem,100%),1fr))}pre{white-space:pre-wrap;overflow-wrap:anywhere;"
    "background:var(--card);padding:.7rem}"
    "@media print{body{max-width:none;font-size:11pt}nav{display:none}section{break-inside:auto}"
    "figure,svg{break-inside:avoid}}";

/* A link to a folded layer unfolds it. */
static const char SCRIPT[] =
    "function show(){var e=location.hash&&document.getElementById(location.hash.slice(1));"
    "if(e&&e.tagName==='DETAILS')e.open=true}"
    "addEventListener('hashchange',show);show();";

void html_text(str *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            str_add(out, "&amp;");
            break;
        case '<':
            str_add(out, "&lt;");
            break;
        case '>':
            str_add(out, "&gt;");
            break;
        case '"':
            str_add(out, "&quot;");
            break;
        default:
            str_add_n(out, text, 1);
        }
    }
}

void html_number(str *out, int digits, double value)
{
    if (isnan(value))
        str_add(out, "<td class=\"n\">–</td>");
    else
        str_addf(out, "<td class=\"n\">%.*f</td>", digits, value);
}

void html_cell(str *out, const char *text)
{
    str_add(out, "<td>");
    html_text(out, text);
    str_add(out, "</td>");
}

void html_section(str *out, const char *id, const char *title)
{
    str_addf(out, "<section id=\"%s\"><h2>%s</h2>\n", id, title);
}

void html_section_end(str *out)
{
    str_add(out, "</section>\n");
}

void html_svg(str *out, double width, double height, const char *title, const char *description)
{
    str_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%.0f\" height=\"%.0f\""
             " viewBox=\"0 0 %.0f %.0f\"><title>",
             width, height, width, height);
    html_text(out, title);
    str_add(out, "</title><desc>");
    html_text(out, description);
    str_add(out, "</desc>\n");
}

void html_data_table(str *out, const char *const *header)
{
    str_add(out, "<details><summary class=\"soft\">the numbers as a table</summary>"
                 "<div class=\"scroll\"><table><tr>");
    for (int i = 0; header[i]; i++)
        str_addf(out, "<th%s>%s</th>", i > 0 ? " class=\"n\"" : "", header[i]);
    str_add(out, "</tr>\n");
}

void html_data_table_end(str *out)
{
    str_add(out, "</table></div></details>\n");
}

/* What the command printed, for every kind of result. */
static void add_printed(str *out, const json_t *document)
{
    char *text = report_text(field_text(document, "command", ""), document, 100);
    html_section(out, "printed", "As printed at the terminal");
    str_add(out, "<pre>");
    html_text(out, text ? text : "");
    str_add(out, "</pre>\n");
    html_section_end(out);
    mem_free(text);
}

static void add_head(str *out, const json_t *document)
{
    str_add(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                 "<link rel=\"icon\" href=\"data:,\"><title>ptq ");
    html_text(out, field_text(document, "command", "report"));
    str_add(out, ": ");
    html_text(out, field_text(document, "model.path", ""));
    str_add(out, "</title><style>");
    str_add(out, STYLE);
    str_add(out, "</style></head>\n<body><header><h1>");
    html_text(out, field_text(document, "model.path", field_text(document, "command", "ptq")));
    str_add(out, "</h1></header>\n");
}

static void add_links(str *out, const char *body)
{
    static const char *const LINKS[][2] = {
        {"table", "Table"},          {"front", "Front"},           {"ranking", "Ranking"},
        {"causes", "Causes"},        {"gallery", "Pictures"},      {"classes", "Classes"},
        {"confusion", "Confusions"}, {"graph", "Graph"},           {"layers", "Layers"},
        {"times", "Times"},          {"provenance", "Provenance"},
    };
    str_add(out, "<nav aria-label=\"sections\">");
    for (size_t i = 0; i < sizeof LINKS / sizeof *LINKS; i++) {
        char id[64];
        snprintf(id, sizeof id, "<section id=\"%s\"", LINKS[i][0]);
        if (strstr(body, id))
            str_addf(out, "<a href=\"#%s\">%s</a>", LINKS[i][0], LINKS[i][1]);
    }
    str_add(out, "</nav>\n");
}

char *report_html(const json_t *document)
{
    static html_fn *const SECTIONS[] = {html_verdict, html_quantize, html_front,   html_ranking,
                                        html_causes,  html_gallery,  html_classes, html_confusion,
                                        html_graph,   html_layers,   html_times};
    str body = STR_INIT, out = STR_INIT;
    for (size_t i = 0; i < sizeof SECTIONS / sizeof *SECTIONS; i++)
        SECTIONS[i](&body, document);
    add_printed(&body, document);
    html_provenance(&body, document);
    add_head(&out, document);
    add_links(&out, str_text(&body));
    str_add(&out, "<main>\n");
    str_add(&out, str_text(&body));
    str_add(&out, "</main>\n<script>");
    str_add(&out, SCRIPT);
    str_add(&out, "</script></body></html>\n");
    bool is_whole = str_ok(&body) && str_ok(&out);
    str_clear(&body);
    char *page = str_take(&out);
    if (is_whole)
        return page;
    mem_free(page);
    return NULL;
}
