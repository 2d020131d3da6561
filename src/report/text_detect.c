/* SPDX-License-Identifier: Apache-2.0 */
/* What was found in pictures, as a line per picture. */
#include <math.h>
#include <string.h>

#include "report/view.h"

enum { MAX_PICTURES = 100 };

static size_t count_name(const json_t *detections, const char *name, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < end; i++)
        n += strcmp(field_text(json_array_get(detections, i), "name", "?"), name) == 0;
    return n;
}

/* "2 person, 1 bus", in the order of the best of each. */
static void add_counts(str *out, const json_t *detections)
{
    size_t n = json_array_size(detections);
    const char *separator = "";
    if (n == 0)
        str_add(out, "nothing");
    for (size_t i = 0; i < n; i++) {
        const char *name = field_text(json_array_get(detections, i), "name", "?");
        if (count_name(detections, name, i) > 0)
            continue;
        str_addf(out, "%s%zu %s", separator, count_name(detections, name, n), name);
        separator = ", ";
    }
}

void text_detect(str *out, const report_view *view)
{
    const json_t *images = field_at(view->result, "images");
    size_t n = json_array_size(images);
    for (size_t i = 0; i < n && i < MAX_PICTURES; i++) {
        const json_t *picture = json_array_get(images, i);
        str_addf(out, "  %s: ", field_text(picture, "file", "?"));
        add_counts(out, field_at(picture, "detections"));
        str_add(out, "\n");
    }
    if (n > MAX_PICTURES)
        str_addf(out, "  ... %zu more pictures: --json\n", n - MAX_PICTURES);
    double ms = field_number(view->result, "inference_ms");
    if (!isnan(ms))
        str_addf(out, n == 1 ? "%zu picture, %.1f ms\n" : "%zu pictures, %.1f ms each\n", n, ms);
    text_wrote(out, view);
}
