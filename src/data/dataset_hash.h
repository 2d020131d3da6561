/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_hash.h — whether two evaluations saw the same pictures with the same labels.
 *
 * Of each picture the file's name and bytes in number, its size and its labels: what tells sets
 * apart without reading every picture again. Where the set lies does not matter.
 */
#ifndef DATA_DATASET_HASH_H
#define DATA_DATASET_HASH_H

#include "data/dataset.h"

enum { DATASET_HASH_SIZE = 65 };

void dataset_hash(const dataset *d, char hex[DATASET_HASH_SIZE]);

#endif
