/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

typedef struct list_args {
    general_args general;
    const char *output;
    bool force;
} list_args;

static const option LIST_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(list_args, output),
     .value = "FILE",
     .is_common = true,
     .help = "the list: one path per line, sorted"},
    {.name = "force",
     .letter = 'f',
     .type = OPTION_FLAG,
     .offset = offsetof(list_args, force),
     .is_common = true,
     .help = "replace the output when it exists"},
    OPTIONS_END,
};

static void init(void *args)
{
    (void)args;
}

static ptq_status run(const cli *c, const void *args, ptq_result **out, ptq_error *err)
{
    const list_args *a = args;
    ptq_status st = cli_require("list", "-o FILE", a->output, err);
    if (!st)
        st = cli_check_output(a->output, NULL, a->force, err);
    return st ? st : ptq_list(c->operands[0], a->output, a->force, c->env, out, err);
}

const command cmd_list = {
    .name = "list",
    .summary = "the images below a folder, as a list for a data yaml",
    .operands = "DIR",
    .usage = " -o FILE [options]",
    .about = "Write every image below a folder, sub-folders included, into a list that a data yaml "
             "can name (train2017.txt).",
    .examples = {"ptq list coco/images/val2017 -o coco/val2017.txt",
                 "ptq list coco/images/train2017 -o coco/train2017.txt --force"},
    .groups = (const option_group[]){{"Output", LIST_OPTIONS, 0}, OPTIONS_END},
    .min_operands = 1,
    .max_operands = 1,
    .args_bytes = sizeof(list_args),
    .init = init,
    .run = run,
};
