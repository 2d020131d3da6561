/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/str.h"

#if defined(__aarch64__)
#define LEVELS "ref, neon, dotprod or native"
static const char *const names[] = {"ref", "neon", "dotprod", "native", NULL};
#else
#define LEVELS "ref, avx2, avx512, avx512vnni, avx512bf16 or native"
static const char *const names[] = {"ref",        "avx2",   "avx512", "avx512vnni",
                                    "avx512bf16", "native", NULL};
#endif
enum { N_LEVELS = sizeof names / sizeof names[0] - 2 };

cpu_level cpu_best(void)
{
#if defined(PTQ_REFERENCE_ONLY)
    return CPU_REF;
#elif defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return CPU_REF;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return CPU_AVX2;
    if (!__builtin_cpu_supports("avx512vnni"))
        return CPU_AVX512;
    return __builtin_cpu_supports("avx512bf16") ? CPU_AVX512BF16 : CPU_AVX512VNNI;
#elif defined(__aarch64__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? CPU_DOTPROD : CPU_NEON;
#else
    return CPU_REF;
#endif
}

const char *cpu_level_name(cpu_level level)
{
    return names[level];
}

const char *cpu_model_name(char *buffer, int size)
{
    snprintf(buffer, (size_t)size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f))
        if (str_starts_with(line, "model name")) {
            const char *colon = strchr(line, ':');
            if (colon) {
                line[strcspn(line, "\n")] = '\0';
                snprintf(buffer, (size_t)size, "%s", colon + 2);
            }
            break;
        }
    if (f)
        fclose(f);
    return buffer;
}

ptq_status cpu_level_parse(const char *name, cpu_level *level, ptq_error *err)
{
    cpu_level best = cpu_best();
    if (!name || strcmp(name, "native") == 0) {
        *level = best;
        return PTQ_OK;
    }
    for (int i = 0; i < N_LEVELS; i++)
        if (strcmp(name, names[i]) == 0) {
            *level = (cpu_level)i < best ? (cpu_level)i : best;
            return PTQ_OK;
        }
    const char *near = str_nearest(name, names);
    return error_set(err, PTQ_USAGE, "unknown instruction set '%s'; use " LEVELS "%s%s%s", name,
                     near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}
