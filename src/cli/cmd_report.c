/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

#include "options.h"

typedef struct report_args {
    general_args general;
    const char *output;
    bool force;
} report_args;

static const option REPORT_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(report_args, output),
     .value = "FILE",
     .preset = "NAME.html, here",
     .is_common = true,
     .help = "the page: one file that needs no other and no network"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(report_args, force),
     .is_common = true,
     .help = "replace the page when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    (void)args;
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const report_args *a = args;
    char name[4096];
    const char *output = a->output;
    if (!output) {
        cli_default_output(c->operands[0], ".html", name, sizeof name);
        output = name;
    }
    ptq_status st = cli_check_output(output, c->operands[0], a->force, err);
    return st ? st : ptq_report(c->operands[0], output, a->force, c->env, out, err);
}

const command cmd_report = {
    .name = "report",
    .summary = "a page from any result",
    .operands = "RESULT.json",
    .usage = " [-o FILE] [options]",
    .about = "Make a page for a browser from what a command printed with --json, or from the "
             "report.json that 'ptq quantize --report' writes.",
    .examples = {"ptq report yolov7.report/report.json -o yolov7.html",
                 "ptq sensitivity m.pt --data d.yaml --json > r.json && ptq report r.json"},
    .groups = (const option_group[]){{"Output", REPORT_OPTIONS, 0}, OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(report_args),
    .init = init,
    .run = run,
};
