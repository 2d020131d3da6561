/* SPDX-License-Identifier: Apache-2.0 */
/* quant/sensitivity_journal.h — finished layers of a ranking, kept in a file after each one.
 *
 * The file is JSON, replaced as a whole. It carries a fingerprint of everything that decides the
 * scores (graph, ranges, data, options); a file with another one is refused.
 */
#ifndef QUANT_SENSITIVITY_JOURNAL_H
#define QUANT_SENSITIVITY_JOURNAL_H

#include "quant/sensitivity_units.h"

typedef struct journal {
    const char *path; /* NULL: nothing is kept */
    char fingerprint[65];
    json_t *layers; /* name -> {score, low, high, drop, sqnr_db, evaluations} */
} journal;

/* Reads the file when there is one. PTQ_USAGE when it belongs to another run. */
PTQ_CHECKED ptq_status journal_open(journal *j, const sensitivity_job *job,
                                    const sensitivity_options *options, ptq_error *err);
void journal_close(journal *j);

/* false: the layer is not finished. Fills everything but name and op. */
bool journal_get(const journal *j, const char *name, sensitivity_layer *layer);
PTQ_CHECKED ptq_status journal_put(journal *j, const sensitivity_layer *layer, ptq_error *err);

#endif
