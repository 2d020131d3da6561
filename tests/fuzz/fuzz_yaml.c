/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "formats/yaml_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yaml_doc *d = NULL;
    ptq_error err;
    if (yaml_doc_parse((const char *)data, size, "fuzz.yaml", &d, &err) == PTQ_OK)
        yaml_doc_destroy(d);
    return 0;
}
