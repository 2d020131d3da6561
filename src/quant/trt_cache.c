/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/trt_cache.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

ptq_status trt_cache_version(const char *text, int *version, ptq_error *err)
{
    long part[3];
    char *end = (char *)(uintptr_t)text;
    for (int i = 0; i < 3; i++) {
        const char *from = end;
        part[i] = strtol(from, &end, 10);
        bool ends_well = i < 2 ? *end == '.' : *end == 0;
        if (end == from || !ends_well || part[i] < 0 || part[i] > 99)
            return error_set(err, PTQ_USAGE,
                             "'%s' is no version of TensorRT; give three numbers, as 10.3.0", text);
        end += i < 2;
    }
    if (part[0] > 10)
        return error_set(err, PTQ_USAGE,
                         "TensorRT %s has no implicit INT8 and reads no calibration cache; use "
                         "'ptq quantize --target tensorrt11'",
                         text);
    long unit = part[0] >= 10 ? 100 : 10;
    *version = (int)(part[0] * unit * 100 + part[1] * 100 + part[2]);
    return PTQ_OK;
}

static bool own_range(const trt_cache *c, tensor_id id, float *amax)
{
    const range_tensor *t = ranges_find(c->ranges, graph_tensor_const(c->g, id)->name, "");
    if (t)
        *amax = t->amax[c->method];
    return t != NULL;
}

/* A copy has the range of what it copies. */
static bool group_range(const trt_cache *c, int group, float *amax)
{
    bool found = false;
    float member;
    *amax = 0;
    for (int i = 0; i < c->codes->n; i++) {
        const code_tensor *t = &c->codes->items[i];
        if (t->group != group || !t->is_source || !own_range(c, t->tensor, &member))
            continue;
        *amax = fmaxf(*amax, member);
        found = true;
    }
    return found;
}

static void add_line(str *out, const char *name, const char *suffix, float amax)
{
    float scale = amax > 0 ? amax / 127 : 1;
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    str_addf(out, "%s%s: %08" PRIx32 "\n", name, suffix, bits);
}

static ptq_status add_tensor(const trt_cache *c, const code_tensor *t, str *out, int *n,
                             ptq_error *err)
{
    float amax;
    const char *name = graph_tensor_const(c->g, t->tensor)->name;
    node_id made = graph_producer(c->g, t->tensor);
    if (!own_range(c, t->tensor, &amax) && !group_range(c, t->group, &amax))
        return error_set(err, PTQ_DATA, "no range was collected for tensor '%s'", name);
    if (made != NODE_NONE && graph_node_const(c->g, made)->op == GRAPH_OP_SILU) {
        add_line(out, graph_node_const(c->g, made)->name, "/sigmoid", 1);
        ++*n;
    }
    add_line(out, name, "", amax);
    ++*n;
    return PTQ_OK;
}

ptq_status trt_cache_write(const trt_cache *c, const char *path, int *n_tensors, ptq_error *err)
{
    str text = STR_INIT;
    int n = 0;
    ptq_status status = PTQ_OK;
    str_addf(&text, "TRT-%d-EntropyCalibration2\n", c->version);
    for (int i = 0; i < c->codes->n && status == PTQ_OK; i++)
        status = add_tensor(c, &c->codes->items[i], &text, &n, err);
    if (status == PTQ_OK && !str_ok(&text))
        status = error_no_memory(err, 0, "the calibration cache");
    if (status == PTQ_OK)
        status = file_write(path, str_text(&text), strlen(str_text(&text)), err);
    if (status == PTQ_OK)
        *n_tensors = n;
    str_clear(&text);
    return status;
}
