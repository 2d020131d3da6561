/* SPDX-License-Identifier: Apache-2.0 */
#include "api/score_json.h"

#include "api/result.h"

json_t *coco_json(const coco_scores *s)
{
    const struct {
        const char *key;
        double value;
    } rows[] = {
        {"ap", s->ap},
        {"ap50", s->ap50},
        {"ap75", s->ap75},
        {"ap_small", s->ap_small},
        {"ap_medium", s->ap_medium},
        {"ap_large", s->ap_large},
        {"ar1", s->ar1},
        {"ar10", s->ar10},
        {"ar100", s->ar100},
        {"ar_small", s->ar_small},
        {"ar_medium", s->ar_medium},
        {"ar_large", s->ar_large},
    };
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put_real(o, rows[i].key, rows[i].value);
    return o;
}
