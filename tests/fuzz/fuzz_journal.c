/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the journal of a ranking, and as what a journal with the right fingerprint holds. */
#include "fuzz.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "quant/sensitivity_journal.h"

/* False: the journal is not read. */
static bool try_journal(const sensitivity_job *job, const char *path)
{
    sensitivity_options o;
    sensitivity_options_init(&o);
    o.journal = path;
    journal j;
    ptq_error err;
    if (journal_open(&j, job, &o, &err) != PTQ_OK)
        return false;
    (void)journal_find(&j, "image 0");
    bool is_stored = journal_store(&j, "again", json_true(), &err) == PTQ_OK;
    journal_close(&j);
    return is_stored;
}

/* "{fingerprint, measured: <bytes>}" */
static bool write_journal(const char *path, const uint8_t *data, size_t size, const char *print)
{
    str text = STR_INIT;
    str_addf(&text, "{\"fingerprint\":\"%s\",\"measured\":", print);
    str_add_n(&text, (const char *)data, size);
    str_add(&text, "}");
    ptq_error err;
    bool good = file_write(path, str_text(&text), text.len, &err) == PTQ_OK;
    str_clear(&text);
    return good;
}

/* That of the job, from a journal that is begun. */
static bool find_fingerprint(const sensitivity_job *job, const char *path, char print[65])
{
    char *text;
    size_t size;
    ptq_error err;
    unlink(path);
    if (!try_journal(job, path) || file_read(path, 0, &text, &size, &err) != PTQ_OK)
        abort();
    const char *at = strstr(text, "\"fingerprint\": \"");
    bool is_there = at && sscanf(at, "\"fingerprint\": \"%64[0-9a-f]", print) == 1;
    mem_free(text);
    return is_there;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], print[65];
    ptq_error err;
    graph *g;
    qplan plan = {0};
    dataset images = {0};
    if (graph_create(&g, &err) != PTQ_OK)
        return 0;
    sensitivity_job job = {.g = g, .plan = &plan, .data = &images};
    if (fuzz_file(data, size, path)) {
        (void)try_journal(&job, path);
        if (!find_fingerprint(&job, path, print) || !write_journal(path, data, size, print))
            abort();
        (void)try_journal(&job, path);
        unlink(path);
    }
    graph_destroy(g);
    return 0;
}
