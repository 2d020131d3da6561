/* SPDX-License-Identifier: Apache-2.0 */
#include "api/report_files.h"

#include <stdlib.h>
#include <string.h>

#include "api/model_handle.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/html.h"

enum { MAX_REPORT_BYTES = 1 << 30 };

static ptq_status write_page(const char *path, const json_t *document, ptq_error *err)
{
    char *page = report_html(document);
    if (!page)
        return error_no_memory(err, 0, "a page");
    ptq_status status = file_write(path, page, strlen(page), err);
    mem_free(page);
    return status;
}

static ptq_status write_both(const char *dir, const json_t *document, ptq_error *err)
{
    char *json = json_dumps(document, JSON_INDENT(1));
    char *data_path = path_join(dir, "report.json"), *page_path = path_join(dir, "index.html");
    ptq_status status = PTQ_OK;
    if (!json || !data_path || !page_path)
        status = error_no_memory(err, 0, "a report");
    if (status == PTQ_OK)
        status = file_write(data_path, json, strlen(json), err);
    if (status == PTQ_OK)
        status = write_page(page_path, document, err);
    free(json); /* jansson's own allocation */
    mem_free(data_path);
    mem_free(page_path);
    return status;
}

ptq_status report_write(const char *dir, const ptq_result *r, json_t *facts, ptq_error *err)
{
    json_t *document = json_loads(ptq_result_json(r), 0, NULL);
    if (!document)
        return error_no_memory(err, 0, "a report");
    if (facts)
        put(document, "facts", json_incref(facts));
    ptq_status status = write_both(dir, document, err);
    json_decref(document);
    return status;
}

ptq_status report_read(const char *path, json_t **out, ptq_error *err)
{
    char *text;
    size_t size;
    json_error_t wrong;
    PTQ_TRY(file_read(path, MAX_REPORT_BYTES, &text, &size, err));
    json_t *document = json_loadb(text, size, 0, &wrong);
    mem_free(text);
    if (!document)
        return error_set(err, PTQ_DATA,
                         "'%s' is not JSON: %s in line %d; give a file that a command printed with "
                         "--json, or a report.json",
                         path, wrong.text, wrong.line);
    bool is_ours = json_is_integer(json_object_get(document, "schema")) &&
                   json_is_string(json_object_get(document, "command")) &&
                   json_is_object(json_object_get(document, "result"));
    if (is_ours) {
        *out = document;
        return PTQ_OK;
    }
    json_decref(document);
    return error_set(err, PTQ_DATA,
                     "'%s' is not a result of ptq; give a file that a command printed with --json, "
                     "or a report.json",
                     path);
}

ptq_status ptq_report(const char *json, const char *output, bool force, const ptq_env *env,
                      ptq_result **out, ptq_error *err)
{
    if (!json || !output)
        return error_set(err, PTQ_USAGE, "no %s given", json ? "output file" : "result");
    PTQ_TRY(check_output(output, force, err));
    json_t *document;
    PTQ_TRY(report_read(json, &document, err));
    api_call call;
    ptq_status status = api_begin(&call, "report", env, err);
    if (status == PTQ_OK) {
        status = write_page(output, document, err);
        put_text(call.config, "input", json);
        put_text(call.result, "output", output);
        status = api_end(&call, status, NULL, out, err);
    }
    json_decref(document);
    return status;
}
