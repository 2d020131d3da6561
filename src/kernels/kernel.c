/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernel.h"

#include <assert.h>

#include "kernels/kernel_list.h"

#define KERNEL_REF(family, name) {#name, KERNEL_##family, CPU_REF, NULL, name, 0},
#if defined(__x86_64__)
#define KERNEL_X86(family, name, level, suffix, tolerance)                                         \
    {#name "_" #suffix,   KERNEL_##family, CPU_##level,                                            \
     name##_can_##suffix, name##_##suffix, tolerance},
#else
#define KERNEL_X86(family, name, level, suffix, tolerance)
#endif
#if defined(__aarch64__)
#define KERNEL_ARM(family, name, tolerance)                                                        \
    {#name "_neon", KERNEL_##family, CPU_NEON, name##_can_neon, name##_neon, tolerance},
#else
#define KERNEL_ARM(family, name, tolerance)
#endif
static const kernel list[] = {
#include "kernels/kernels.def"
};
#undef KERNEL_REF
#undef KERNEL_X86
#undef KERNEL_ARM

bool kernel_is_pointwise(kernel_family family)
{
    return family <= KERNEL_BATCH_NORM;
}

const kernel *kernel_list(int *n)
{
    *n = (int)(sizeof list / sizeof list[0]);
    return list;
}

const kernel *kernel_choose(kernel_family family, const kernel_args *a, cpu_level level)
{
    const size_t n = sizeof list / sizeof list[0];
    for (size_t i = 0; i < n; i++)
        if (list[i].family == family && list[i].level <= level && (!list[i].can || list[i].can(a)))
            return &list[i];
    assert(false && "every family ends with a reference");
    return NULL;
}
