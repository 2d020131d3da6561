/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON as a document: as a table and as a page. */
#include "fuzz.h"

#include "base/mem.h"
#include "report/html.h"
#include "report/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *document = json_loadb((const char *)data, size, 0, NULL);
    if (!json_is_object(document)) {
        json_decref(document);
        return 0;
    }
    const char *command = json_string_value(json_object_get(document, "command"));
    mem_free(report_text(command ? command : "quantize", document, 100));
    mem_free(report_text_fit(command ? command : "quantize", document, 60));
    mem_free(report_html(document));
    json_decref(document);
    return 0;
}
