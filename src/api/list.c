/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model_handle.h"
#include "api/result.h"
#include "data/dataset.h"

ptq_status ptq_list(const char *dir, const char *output, bool force, const ptq_env *env,
                    ptq_result **out, ptq_error *err)
{
    PTQ_TRY(check_output(output, force, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "list", env, err));
    int n = 0;
    ptq_status status = dataset_write_list(dir, output, &n, err);
    put_text(call.config, "dir", dir);
    put_int(call.result, "images", n);
    put_text(call.result, "output", output);
    return api_end(&call, status, NULL, out, err);
}
