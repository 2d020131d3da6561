/* SPDX-License-Identifier: Apache-2.0 */
/* quant/fingerprint.h — what kept results belong to: a model's constants, pictures as they lie on
 * the disk, settings as text. A result is used again only where all of it is the same.
 */
#ifndef QUANT_FINGERPRINT_H
#define QUANT_FINGERPRINT_H

#include "base/sha256.h"
#include "data/dataset.h"
#include "graph/graph.h"

void fingerprint_text(sha256 *h, const char *text);
void fingerprint_constants(sha256 *h, const graph *g);
/* Path, size and time of the last change of every picture. */
void fingerprint_images(sha256 *h, const dataset *d);

#endif
