/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.h — "did you mean": the known word nearest to a mistyped one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

typedef struct suggestion {
    const char *word; /* NULL: none */
    int distance;
} suggestion;

/* Keeps the nearer of *best and `candidate`: at most two slips (letters wrong, missing, added or
 * swapped), and fewer than the word has letters. Start with {NULL, 0}. */
void suggest_nearer(suggestion *best, const char *typed, const char *candidate);

/* The name that a word has here when other tools call it differently ("img-size" is "imgsz",
 * "val" is "eval"); NULL: none. */
const char *suggest_translation(const char *typed);

#endif
