/* SPDX-License-Identifier: Apache-2.0 */
/* completion.h — scripts for shells and man pages, made from the option tables. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>

/* Prints the script for "bash", "zsh" or "fish"; false: no such shell. */
bool completion_print(const char *shell);

#endif
