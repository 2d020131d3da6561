/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq info --kernels`: what this machine offers, and which kernel of each family it starts with.
 */
#include <stdio.h>
#include <string.h>

#include "api/result.h"
#include "base/cpu.h"
#include "kernels/conv.h"

static void add_kernel(json_t *list, const char *family, const char *name, cpu_level level)
{
    json_t *o = json_object();
    put_text(o, "family", family);
    put_text(o, "kernel", name);
    put_text(o, "isa", cpu_level_name(level));
    json_array_append_new(list, o);
}

/* "max_pool_avx512" and "max_pool_ref" are one family: what stands before the last '_'. */
static void family_name(const char *kernel_name, char *out, size_t size)
{
    snprintf(out, size, "%s", kernel_name);
    char *last = strrchr(out, '_');
    if (last)
        *last = '\0';
}

static json_t *kernels_json(cpu_level level)
{
    json_t *list = json_array();
    int n;
    const conv_impl *const *convs = conv_impls(&n);
    for (int i = 0; i < n; i++)
        if (convs[i]->level <= level) {
            add_kernel(list, "conv", convs[i]->name, convs[i]->level);
            break;
        }
    bool seen[KERNEL_FAMILY_COUNT] = {false};
    const kernel *kernels = kernel_list(&n);
    for (int i = 0; i < n; i++) {
        char family[64];
        if (seen[kernels[i].family] || kernels[i].level > level)
            continue;
        seen[kernels[i].family] = true;
        family_name(kernels[i].name, family, sizeof family);
        add_kernel(list, family, kernels[i].name, kernels[i].level);
    }
    return list;
}

ptq_status ptq_info_machine(const ptq_env *env, ptq_result **out, ptq_error *err)
{
    cpu_level level;
    PTQ_TRY(cpu_level_parse(env ? env->cpu : NULL, &level, err));
    api_call call;
    PTQ_TRY(api_begin(&call, "machine", env, err));
    char name[128];
    put_text(call.result, "cpu", cpu_model_name(name, sizeof name));
    put_text(call.result, "level", cpu_level_name(level));
    put_int(call.result, "threads", call.env.threads);
    put(call.result, "kernels", kernels_json(level));
    return api_end(&call, PTQ_OK, NULL, out, err);
}
