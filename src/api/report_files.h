/* SPDX-License-Identifier: Apache-2.0 */
/* api/report_files.h — a report as files: report.json, and the page that is a view of it. */
#ifndef API_REPORT_FILES_H
#define API_REPORT_FILES_H

#include "api/result.h"

/* Writes dir/report.json, the document of `r` with `facts` under "facts" (NULL: none), and
 * dir/index.html. */
PTQ_CHECKED ptq_status report_write(const char *dir, const ptq_result *r, json_t *facts,
                                    ptq_error *err);
/* A document that a command printed, or a report.json; the caller's reference. PTQ_DATA for any
 * other file. */
PTQ_CHECKED ptq_status report_read(const char *path, json_t **out, ptq_error *err);

#endif
