/* SPDX-License-Identifier: Apache-2.0 */
/* quant/sensitivity_journal.h — what a ranking has measured, kept in a file piece by piece:
 * finished layers, or all layers that were run on one image.
 *
 * The file is JSON, replaced as a whole. It carries a fingerprint of everything that decides the
 * scores (graph, ranges, data, options); a file with another one is refused.
 */
#ifndef QUANT_SENSITIVITY_JOURNAL_H
#define QUANT_SENSITIVITY_JOURNAL_H

#include "base/file.h"
#include "quant/sensitivity_units.h"

typedef struct journal {
    const char *path; /* NULL: nothing is kept */
    file_lock lock;   /* one ranking at a time */
    char fingerprint[65];
    json_t *pieces; /* key -> what was measured */
    bool is_reader; /* neither locks nor writes: another rank does */
} journal;

/* Reads the file when there is one. PTQ_USAGE when it belongs to another ranking, PTQ_IO when one
 * is at work on it. */
PTQ_CHECKED ptq_status journal_open(journal *j, const sensitivity_job *job,
                                    const sensitivity_options *options, ptq_error *err);
void journal_close(journal *j);

/* NULL: not measured yet. Borrowed. */
const json_t *journal_find(const journal *j, const char *key);
/* Takes the reference of `piece`; NULL stands for out of memory. */
PTQ_CHECKED ptq_status journal_store(journal *j, const char *key, json_t *piece, ptq_error *err);

#endif
