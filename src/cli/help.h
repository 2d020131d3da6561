/* SPDX-License-Identifier: Apache-2.0 */
/* help.h — the texts that teach: all made from the option tables, all to standard output, except
 * the hint below a usage error. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "options.h"

void help_overview(void); /* `ptq` alone: the five-minute path and the commands */
void help_command(const command *cmd, help_wish wish);
void help_exit_codes(void);
void help_man(const command *cmd); /* a man page, in roff; NULL: the program's */

/* What belongs below a usage error: the line of the option it is about, else the usage line. */
void help_hint(const command *cmd, const parsed *p, char *hint, size_t size);

#endif
