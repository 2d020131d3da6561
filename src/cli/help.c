/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, LEFT = 30, MAX_LEFT = 64, MAX_DEFAULT = 160 };

/* Words of `text` from column `indent` on; the line has `column` characters already. */
static void print_wrapped(const char *text, int indent, int column)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column + 1 + n > WIDTH && column > indent) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        bool is_first = column == indent;
        printf("%s%.*s", is_first ? "" : " ", n, text);
        column += n + !is_first;
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void join_choices(const option *o, const char *separator, char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; o->choices && o->choices[i]; i++) {
        size_t n = strlen(out);
        snprintf(out + n, size - n, "%s%s", i > 0 ? separator : "", o->choices[i]);
    }
}

/* "-o, --output FILE" */
static void left_side(const option *o, char *out, size_t size)
{
    char value[48] = "";
    if (o->value)
        snprintf(value, sizeof value, " %s", o->value);
    else if (o->choices) {
        value[0] = ' ';
        join_choices(o, "|", value + 1, sizeof value - 1);
    }
    bool is_switch = o->type == OPTION_SWITCH || o->type == OPTION_TRISTATE;
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(out, size, "%s--%s%s%s", letter, is_switch ? "[no-]" : "", o->name, value);
}

static void enum_default(const option *o, const option_enums *e, char *out, size_t size)
{
    for (int i = 0; i < e->n; i++) {
        size_t n = strlen(out);
        snprintf(out + n, size - n, "%s%s", i > 0 ? "," : "", o->choices[e->values[i]]);
    }
}

/* The value an option has when it is not given, in words; "" when there is none to speak of. */
static void default_of(const option *o, const char *target, char *out, size_t size)
{
    out[0] = '\0';
    const char *text = NULL;
    if (o->preset) {
        snprintf(out, size, "%s", o->preset);
        return;
    }
    switch (o->type) {
    case OPTION_INT:
        snprintf(out, size, "%d", *(const int *)(const void *)target);
        break;
    case OPTION_NUMBER:
        snprintf(out, size, "%g", *(const double *)(const void *)target);
        break;
    case OPTION_SEED:
        snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)(const void *)target);
        break;
    case OPTION_SWITCH:
        snprintf(out, size, "%s", *(const bool *)(const void *)target ? "on" : "off");
        break;
    case OPTION_ENUM:
        snprintf(out, size, "%s", o->choices[*(const int *)(const void *)target]);
        break;
    case OPTION_ENUMS:
        enum_default(o, (const void *)target, out, size);
        break;
    case OPTION_TEXT:
    case OPTION_CHOICE:
        memcpy(&text, target, sizeof text);
        snprintf(out, size, "%s", text ? text : "");
        break;
    default:
        break;
    }
}

static void print_option(const option *o, const char *target, help_wish wish)
{
    char left[MAX_LEFT], preset[MAX_DEFAULT], text[512];
    left_side(o, left, sizeof left);
    default_of(o, target, preset, sizeof preset);
    snprintf(text, sizeof text, "%s%s%s%s", wish == HELP_SHORT && o->brief ? o->brief : o->help,
             *preset ? " [" : "", preset, *preset ? "]" : "");
    int n = printf("  %-*s", LEFT - 4, left);
    if (n > LEFT - 2) {
        printf("\n");
        n = 0;
    }
    printf("%*s", LEFT - n, "");
    print_wrapped(text, LEFT, LEFT);
}

static void print_group(const option_group *g, const char *args, help_wish wish, bool has_title)
{
    if (has_title && wish == HELP_FULL)
        printf("\n%s\n", g->title);
    for (const option *o = g->options; o->name; o++)
        if (wish == HELP_FULL || o->is_common)
            print_option(o, args + g->base + o->offset, wish);
}

static void print_usage(const command *cmd)
{
    printf("usage: ptq %s%s%s%s\n", cmd->name, *cmd->operands ? " " : "", cmd->operands,
           cmd->usage);
}

void help_command(const command *cmd, help_wish wish)
{
    char *args = calloc(1, cmd->args_bytes);
    if (!args)
        return;
    options_init(cmd, args);
    print_wrapped(cmd->about, 0, 0);
    printf("\n");
    print_usage(cmd);
    if (wish == HELP_SHORT)
        printf("\n");
    const option_group *g;
    const char *title = "";
    for (int i = 0; (g = options_group(cmd, i)); i++) {
        print_group(g, args, wish, strcmp(title, g->title) != 0);
        title = g->title;
    }
    printf("\nexamples:\n");
    for (size_t i = 0; i < sizeof cmd->examples / sizeof *cmd->examples; i++)
        printf("  %s\n", cmd->examples[i]);
    if (wish == HELP_SHORT)
        printf("\nevery option: ptq %s --help\n", cmd->name);
    free(args);
}

void help_overview(void)
{
    printf("ptq " PTQ_VERSION " - int8 post-training quantization for object detectors\n\n"
           "usage: ptq <command> [MODEL] [options]\n\n"
           "five minutes, from a checkpoint to a measured int8 model:\n"
           "  ptq info yolov7.pt                          what is in the file\n"
           "  ptq eval yolov7.pt --data coco.yaml         how good it is now\n"
           "  ptq quantize yolov7.pt --data coco.yaml     calibrate, quantize, measure\n"
           "  ptq sensitivity yolov7.pt --data coco.yaml  which layers it costs\n"
           "  ptq bench yolov7.int8.onnx                  how fast it is\n\n"
           "commands:\n");
    for (int i = 0; COMMANDS[i]; i++)
        printf("  %-13s%s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    printf("\n'ptq <command> -h' shows what is used most, 'ptq help <command>' every option,\n"
           "'ptq help exit-codes' what the exit status says; 'ptq completion bash' (zsh,\n"
           "fish) and 'ptq man <command>' print a completion script and a manual page.\n");
}

/* Text of a man page: a dash may not become a hyphen, a leading dot no request. */
static void print_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        printf("\\&");
    for (; *text; text++) {
        if (*text == '-')
            printf("\\-");
        else if (*text == '\\')
            printf("\\e");
        else
            putchar(*text);
    }
}

static void man_option(const option *o, const char *target)
{
    char left[MAX_LEFT], preset[MAX_DEFAULT];
    left_side(o, left, sizeof left);
    default_of(o, target, preset, sizeof preset);
    printf(".TP\n.B ");
    print_roff(left + strspn(left, " "));
    printf("\n");
    print_roff(o->help);
    if (*preset) {
        printf(" [");
        print_roff(preset);
        printf("]");
    }
    printf("\n");
}

static void man_options(const command *cmd)
{
    char *args = calloc(1, cmd->args_bytes);
    const option_group *g;
    const char *title = "";
    if (!args)
        return;
    options_init(cmd, args);
    for (int i = 0; (g = options_group(cmd, i)); i++) {
        if (strcmp(title, g->title) != 0)
            printf(".SS %s\n", g->title);
        title = g->title;
        for (const option *o = g->options; o->name; o++)
            man_option(o, args + g->base + o->offset);
    }
    free(args);
}

void help_man(const command *cmd)
{
    printf(".TH PTQ%s%s 1 \"\" \"ptq " PTQ_VERSION "\"\n.SH NAME\nptq%s%s \\- ", cmd ? "-" : "",
           cmd ? cmd->name : "", cmd ? "\\-" : "", cmd ? cmd->name : "");
    print_roff(cmd ? cmd->summary : "int8 post-training quantization for object detectors");
    printf("\n.SH SYNOPSIS\n.B ptq ");
    print_roff(cmd ? cmd->name : "<command> [MODEL] [options]");
    printf("\n");
    if (!cmd) {
        printf(".SH COMMANDS\n");
        for (int i = 0; COMMANDS[i]; i++)
            printf(".TP\n.BR ptq\\-%s (1)\n%s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
        return;
    }
    printf(".RI \"%s%s\"\n.SH DESCRIPTION\n%s\n.SH OPTIONS\n", cmd->operands, cmd->usage,
           cmd->about);
    man_options(cmd);
    printf(".SH EXAMPLES\n.nf\n");
    for (size_t i = 0; i < sizeof cmd->examples / sizeof *cmd->examples; i++) {
        print_roff(cmd->examples[i]);
        printf("\n");
    }
    printf(".fi\n.SH SEE ALSO\n.BR ptq (1)\n");
}

void help_exit_codes(void)
{
    static const struct {
        ptq_status status;
        const char *meaning;
    } CODES[] = {
        {PTQ_OK, "done, and every gate that was asked for is met"},
        {PTQ_NO,
         "ran to the end, and the answer is no: --max-drop exceeded, models differ, lint errors"},
        {PTQ_USAGE, "the command line, or a configuration file, is wrong"},
        {PTQ_IO, "a file or the data set cannot be read or written"},
        {PTQ_FORMAT, "the model is malformed, or holds something that is not supported"},
        {PTQ_LIMIT, "a resource limit: memory, file size, nesting"},
        {PTQ_INTERNAL, "a bug in ptq; please report it with the command line"},
        {PTQ_CANCELLED, "interrupted; what had been written is whole"},
    };
    printf("exit codes:\n");
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
        printf("  %3d  %s\n", ptq_status_exit_code(CODES[i].status), CODES[i].meaning);
}

void help_hint(const command *cmd, const parsed *p, char *hint, size_t size)
{
    if (!p->culprit) {
        snprintf(hint, size, "usage: ptq %s%s%s%s; options: ptq %s --help", cmd->name,
                 *cmd->operands ? " " : "", cmd->operands, cmd->usage, cmd->name);
        return;
    }
    char left[MAX_LEFT];
    left_side(p->culprit, left, sizeof left);
    snprintf(hint, size, "  %s  %s", left + strspn(left, " "), p->culprit->help);
}
