/* SPDX-License-Identifier: Apache-2.0 */
/* model/cfg_network.h — a yolov7.yaml into a network, by the rules of the official parse_model.
 *
 * Spec: model.md §1 to §3.
 */
#ifndef MODEL_CFG_NETWORK_H
#define MODEL_CFG_NETWORK_H

#include "model/module.h"

PTQ_CHECKED ptq_status cfg_read_network(const char *path, network **out, ptq_error *err);

#endif
