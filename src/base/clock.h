/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h — a monotonic clock in milliseconds, for measuring only. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

double clock_ms(void);

#endif
