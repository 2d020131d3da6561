/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/kernel_list.h — declares the functions that kernels.def names. */
#ifndef KERNELS_KERNEL_LIST_H
#define KERNELS_KERNEL_LIST_H

#include "kernels/kernel.h"

#define KERNEL_REF(family, name) kernel_fn name;
#define KERNEL_X86(family, name, level, suffix, tolerance)                                         \
    kernel_fn name##_##suffix;                                                                     \
    kernel_can_fn name##_can_##suffix;
#define KERNEL_ARM(family, name, tolerance)                                                        \
    kernel_fn name##_neon;                                                                         \
    kernel_can_fn name##_can_neon;
#include "kernels/kernels.def"
#undef KERNEL_REF
#undef KERNEL_X86
#undef KERNEL_ARM

#endif
