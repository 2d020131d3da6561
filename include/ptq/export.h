/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PTQ_EXPORT_H
#define PTQ_EXPORT_H

/* What the library gives out; a result that is a ptq_status must be looked at. */
#define PTQ_API __attribute__((visibility("default"), warn_unused_result))
#define PTQ_API_VOID __attribute__((visibility("default")))

#endif
