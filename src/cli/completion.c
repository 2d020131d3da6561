/* SPDX-License-Identifier: Apache-2.0 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

/* Words after which nothing but one of a few words makes sense. */
static const char HELP_TOPICS[] = "exit-codes";

typedef void option_fn(const command *cmd, const option *o, const char *name);

static bool has_no_form(const option *o)
{
    return o->type == OPTION_SWITCH || o->type == OPTION_TRISTATE;
}

static bool takes_value(const option *o)
{
    return o->type != OPTION_FLAG && o->type != OPTION_COUNT && !has_no_form(o);
}

/* Every option of a command; switches once more with "no-". */
static void each_option(const command *cmd, option_fn *visit)
{
    const option_group *g;
    for (int i = 0; (g = options_group(cmd, i)); i++)
        for (const option *o = g->options; o->name; o++) {
            char no_form[64];
            visit(cmd, o, o->name);
            snprintf(no_form, sizeof no_form, "no-%s", o->name);
            if (has_no_form(o))
                visit(cmd, o, no_form);
        }
}

static void print_commands(const char *separator)
{
    for (int i = 0; COMMANDS[i]; i++)
        printf("%s%s", COMMANDS[i]->name, separator);
    printf("help%scompletion%sman", separator, separator);
}

/* ---------------------------------------------------------------- bash */

static void bash_option(const command *cmd, const option *o, const char *name)
{
    (void)cmd;
    (void)o;
    printf(" --%s", name);
}

static void bash_choices(const command *cmd, const option *o, const char *name)
{
    if (!takes_value(o))
        return;
    printf("    %s:--%s) words=\"", cmd->name, name);
    for (int i = 0; o->choices && o->choices[i]; i++)
        printf("%s%s", i > 0 ? " " : "", o->choices[i]);
    printf("\"; is_value=1 ;;\n");
}

/* The choices of one option may differ from command to command: the table is per command. */
static void bash_command(const command *cmd)
{
    printf("  %s)\n    options=\"--help", cmd->name);
    each_option(cmd, bash_option);
    printf("\"\n    case \"$command:$previous\" in\n");
    each_option(cmd, bash_choices);
    printf("    esac ;;\n");
}

static void print_bash(void)
{
    printf("# completion of ptq for bash; load with: source <(ptq completion bash)\n"
           "_ptq() {\n"
           "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  local command=${COMP_WORDS[1]} options= words= is_value=\n"
           "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "    COMPREPLY=($(compgen -W \"");
    print_commands(" ");
    printf("\" -- \"$word\"))\n    return\n  fi\n  case $command in\n");
    for (int i = 0; COMMANDS[i]; i++)
        bash_command(COMMANDS[i]);
    printf("  help|man) options=\"");
    print_commands(" ");
    printf(" %s\" ;;\n  completion) options=\"bash zsh fish\" ;;\n  esac\n", HELP_TOPICS);
    printf("  if [ -n \"$is_value\" ] && [ -n \"$words\" ]; then\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "  elif [ -z \"$is_value\" ] && { [[ $word == -* ]] || "
           "[[ $command =~ ^(help|man|completion)$ ]]; }; then\n"
           "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
           "  else\n"
           "    compopt -o filenames 2>/dev/null\n"
           "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
           "  fi\n}\n"
           "complete -F _ptq ptq\n");
}

/* ---------------------------------------------------------------- zsh */

/* Without what quotes, brackets and colons mean to the shell. */
static void print_plain(const char *text)
{
    for (; *text; text++)
        putchar(strchr("'[]:\\", *text) ? ' ' : *text);
}

static void zsh_option(const command *cmd, const option *o, const char *name)
{
    (void)cmd;
    printf("        '*--%s[", name);
    print_plain(o->help);
    printf("]");
    if (takes_value(o)) {
        printf(":%s:", o->value ? o->value : "value");
        if (o->choices) {
            printf("(");
            for (int i = 0; o->choices[i]; i++)
                printf("%s%s", i > 0 ? " " : "", o->choices[i]);
            printf(")");
        } else {
            printf("_files");
        }
    }
    printf("' \\\n");
}

static void print_zsh(void)
{
    printf("#compdef ptq\n"
           "# completion of ptq for zsh; load with: source <(ptq completion zsh)\n"
           "_ptq() {\n"
           "  local -a commands\n"
           "  commands=(\n");
    for (int i = 0; COMMANDS[i]; i++) {
        printf("    '%s:", COMMANDS[i]->name);
        print_plain(COMMANDS[i]->summary);
        printf("'\n");
    }
    printf("    'help:all options of a command' 'completion:scripts for shells' "
           "'man:a manual page'\n  )\n"
           "  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
           "  local command=$words[2]\n"
           "  shift words; (( CURRENT-- ))\n"
           "  case $command in\n");
    for (int i = 0; COMMANDS[i]; i++) {
        printf("    %s)\n      _arguments \\\n", COMMANDS[i]->name);
        each_option(COMMANDS[i], zsh_option);
        printf("        '*:file:_files' ;;\n");
    }
    printf("    help|man) _describe command commands ;;\n"
           "    completion) _values shell bash zsh fish ;;\n"
           "  esac\n}\n"
           "compdef _ptq ptq\n");
}

/* ---------------------------------------------------------------- fish */

static void fish_option(const command *cmd, const option *o, const char *name)
{
    printf("complete -c ptq -n '__fish_seen_subcommand_from %s' -l %s", cmd->name, name);
    if (o->letter && strcmp(o->name, name) == 0)
        printf(" -s %c", o->letter);
    if (takes_value(o))
        printf(" -r");
    if (o->choices && takes_value(o)) {
        printf(" -f -a '");
        for (int i = 0; o->choices[i]; i++)
            printf("%s%s", i > 0 ? " " : "", o->choices[i]);
        printf("'");
    }
    printf(" -d '");
    print_plain(o->help);
    printf("'\n");
}

static void print_fish(void)
{
    printf("# completion of ptq for fish; load with: ptq completion fish | source\n");
    for (int i = 0; COMMANDS[i]; i++) {
        printf("complete -c ptq -n __fish_use_subcommand -f -a %s -d '", COMMANDS[i]->name);
        print_plain(COMMANDS[i]->summary);
        printf("'\n");
    }
    printf("complete -c ptq -n __fish_use_subcommand -f -a 'help completion man'\n"
           "complete -c ptq -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n"
           "complete -c ptq -n '__fish_seen_subcommand_from help man' -f -a '");
    print_commands(" ");
    printf("'\n");
    for (int i = 0; COMMANDS[i]; i++)
        each_option(COMMANDS[i], fish_option);
}

bool completion_print(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return false;
    return true;
}
