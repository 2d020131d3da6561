/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PTQ_VERSION_H
#define PTQ_VERSION_H
#define PTQ_VERSION "0.1.0"
#endif
