/* SPDX-License-Identifier: Apache-2.0 */
/* data/data_problem.h — a malformed picture, list or yaml is a problem of the data (exit code 3);
 * the formats below report it as they would for a model (exit code 4).
 */
#ifndef DATA_DATA_PROBLEM_H
#define DATA_DATA_PROBLEM_H

#include "base/error.h"

static inline ptq_status data_problem(ptq_status status, ptq_error *err)
{
    if (status != PTQ_FORMAT && status != PTQ_UNSUPPORTED)
        return status;
    if (err)
        err->code = PTQ_DATA;
    return PTQ_DATA;
}

#endif
