/* SPDX-License-Identifier: Apache-2.0 */
/* ptq — the program: finds the command, reads its options, makes the one call, prints the result.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "completion.h"
#include "console.h"
#include "help.h"
#include "ranks.h"
#include "suggest.h"

const command *const COMMANDS[] = {
    &cmd_info,    &cmd_eval,   &cmd_quantize, &cmd_calibrate, &cmd_sensitivity,
    &cmd_compare, &cmd_lint,   &cmd_export,   &cmd_bench,     &cmd_run,
    &cmd_list,    &cmd_detect, &cmd_report,   NULL,
};

enum { MIN_COLUMNS = 40 };

/* The one global of the program: a signal handler has no other way. */
static volatile int is_cancelled;

static void on_signal(int number)
{
    (void)number;
    is_cancelled = 1;
}

/* The first signal asks the call to stop; a second one ends the process. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static const command *find_command(const char *name)
{
    for (int i = 0; COMMANDS[i]; i++)
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i];
    return NULL;
}

static void unknown_option(const char *name)
{
    suggestion best = {NULL, 0};
    suggest_nearer(&best, name, "--help");
    suggest_nearer(&best, name, "--version");
    if (best.word)
        fprintf(stderr, "ptq: unknown option '%s'; did you mean '%s'?\n", name, best.word);
    else
        fprintf(stderr, "ptq: unknown option '%s' before the command\n", name);
}

static int unknown_command(const char *name)
{
    suggestion best = {NULL, 0};
    for (int i = 0; COMMANDS[i]; i++)
        suggest_nearer(&best, name, COMMANDS[i]->name);
    const char *translation = suggest_translation(name);
    if (translation && find_command(translation))
        best.word = translation;
    if (name[0] == '-')
        unknown_option(name);
    else if (best.word)
        fprintf(stderr, "ptq: unknown command '%s'; did you mean '%s'?\n", name, best.word);
    else
        fprintf(stderr, "ptq: unknown command '%s'\n", name);
    fprintf(stderr, "usage: ptq <command> [MODEL] [options]; commands: ptq help\n");
    return ptq_status_exit_code(PTQ_USAGE);
}

/* A result that did not reach its reader is no success. */
static int close_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "ptq: cannot write to standard output: %s\n", strerror(errno));
    return ptq_status_exit_code(PTQ_IO);
}

static int print_version(void)
{
#ifdef __clang__
    printf("ptq " PTQ_VERSION "\ncompiler " __VERSION__ "\n");
#else
    printf("ptq " PTQ_VERSION "\ncompiler gcc " __VERSION__ "\n");
#endif
    ptq_result *machine;
    if (ptq_info_machine(NULL, &machine, NULL) == PTQ_OK) {
        const char *text = ptq_result_text(machine);
        printf("%.*s\n", (int)strcspn(text, "\n"), text);
        ptq_result_destroy(machine);
    }
    return close_output(0);
}

static int print_help(const char *topic)
{
    const command *cmd = topic ? find_command(topic) : NULL;
    if (!topic)
        help_overview();
    else if (cmd)
        help_command(cmd, HELP_FULL);
    else if (strcmp(topic, "exit-codes") == 0)
        help_exit_codes();
    else
        return unknown_command(topic);
    return close_output(0);
}

static int print_completion(const char *shell)
{
    if (shell && completion_print(shell))
        return close_output(0);
    fprintf(stderr,
            "ptq: completion is there for bash, zsh and fish\nusage: ptq completion SHELL\n");
    return ptq_status_exit_code(PTQ_USAGE);
}

static int print_man(const char *name)
{
    const command *cmd = name ? find_command(name) : NULL;
    if (name && !cmd)
        return unknown_command(name);
    help_man(cmd);
    return close_output(0);
}

static int report_failure(console *screen, ptq_status st, const ptq_error *err, const char *hint)
{
    if (st == PTQ_INTERNAL)
        hint = "this is a bug in ptq " PTQ_VERSION "; please report it with the command line";
    console_error(screen, err, hint);
    return ptq_status_exit_code(st);
}

/* What several processes can share: elsewhere each would do all of it and write the same files. */
static ptq_status check_shared(const command *cmd, const ptq_env *env, ptq_error *err)
{
    if (env->n_ranks < 2 || cmd == &cmd_calibrate || cmd == &cmd_sensitivity)
        return PTQ_OK;
    return usage_error(err,
                       "'%s' cannot be shared by several ranks; 'calibrate' and "
                       "'sensitivity' can",
                       cmd->name);
}

/* Columns of the terminal, or as many as COLUMNS says; 0: it is no terminal. */
static int terminal_columns(void)
{
    struct winsize size;
    const char *said = getenv("COLUMNS");
    long columns = said ? strtol(said, NULL, 10) : 0;
    if (columns <= 0 && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    return columns <= 0 ? 0 : columns < MIN_COLUMNS ? MIN_COLUMNS : (int)(columns % INT_MAX);
}

static int print_result(const general_args *general, ptq_result *result)
{
    const char *text =
        general->json ? ptq_result_json(result) : ptq_result_text_fit(result, terminal_columns());
    size_t n = strlen(text);
    fputs(text, stdout);
    if (n > 0 && text[n - 1] != '\n')
        putchar('\n');
    int code = ptq_status_exit_code(ptq_result_verdict(result));
    ptq_result_destroy(result);
    return close_output(code);
}

static int run_parsed(const command *cmd, void *args, const parsed *p)
{
    const general_args *general = args;
    console screen;
    console_init(&screen, general->color, general->progress);
    screen.is_quiet = general->quiet > 0;
    screen.verbose = general->verbose;
    console_begin(&screen, cmd->name);
    ptq_env env = {
        .threads = general->threads,
        .cpu = general->cpu,
        .without = general->without,
        .seed = general->seed,
        .log = console_log,
        .progress = console_progress,
        .user = &screen,
        .cancel = &is_cancelled,
    };
    cli c = {.env = &env, .operands = p->operands, .n_operands = p->n_operands};
    ptq_result *result = NULL;
    ptq_error err = {.message = ""};
    char hint[512] = "";
    ptq_status st = ranks_start(&env, &err);
    screen.is_quiet = screen.is_quiet || env.rank > 0;
    if (!st)
        st = check_shared(cmd, &env, &err);
    if (!st)
        st = cmd->run(&c, args, &result, &err);
    if (st == PTQ_USAGE && !err.file) /* a wrong file is not a wrong command line */
        help_hint(cmd, p, hint, sizeof hint);
    int code = st ? report_failure(&screen, st, &err, hint) : -1;
    console_destroy(&screen);
    if (!st && env.rank > 0) {
        code = ptq_status_exit_code(ptq_result_verdict(result));
        ptq_result_destroy(result);
    } else if (!st) {
        code = print_result(general, result);
    }
    ranks_end(&env, code);
    return code;
}

static int run_command(const command *cmd, int argc, char **argv)
{
    void *args = calloc(1, cmd->args_bytes);
    if (!args) {
        fprintf(stderr, "ptq: out of memory\n");
        return ptq_status_exit_code(PTQ_LIMIT);
    }
    parsed p = {0};
    ptq_error err = {.message = ""};
    int code;
    options_init(cmd, args);
    /* Options override the environment, and help is given even when that is wrong. */
    ptq_error wrong_environment = {.message = ""};
    ptq_status environment = options_environment(args, &wrong_environment);
    ptq_status st = options_parse(cmd, args, argc, argv, &p, &err);
    if (!st && environment && p.help == HELP_NONE) {
        st = environment;
        err = wrong_environment;
    }
    if (!st && p.help != HELP_NONE) {
        help_command(cmd, p.help);
        code = close_output(0);
    } else if (!st) {
        code = run_parsed(cmd, args, &p);
    } else {
        char hint[512];
        help_hint(cmd, &p, hint, sizeof hint);
        fprintf(stderr, "ptq: %s\n%s\n", err.message, hint);
        code = ptq_status_exit_code(st);
    }
    options_release(&p);
    free(args);
    return code;
}

/* Threads that wait for each other must sleep, not spin: where other processes share the cores,
 * spinning made the demo's evaluation five to eight times slower. OpenMP reads its policy when it
 * is loaded, before main(): so the program starts itself once more, unless the user has chosen. */
static void choose_waiting(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv("/proc/self/exe", argv); /* returns only when it fails: then go on as we are */
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "help";
    if (strcmp(first, "help") == 0)
        return print_help(argc > 2 ? argv[2] : NULL);
    if (strcmp(first, "completion") == 0)
        return print_completion(argc > 2 ? argv[2] : NULL);
    if (strcmp(first, "man") == 0)
        return print_man(argc > 2 ? argv[2] : NULL);
    if (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0)
        return print_help(NULL);
    if (strcmp(first, "-V") == 0 || strcmp(first, "--version") == 0)
        return print_version();
    const command *cmd = find_command(first);
    if (!cmd)
        return unknown_command(first);
    choose_waiting(argv);
    catch_signals();
    return run_command(cmd, argc - 2, argv + 2);
}
