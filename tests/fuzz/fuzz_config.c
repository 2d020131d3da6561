/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes as quant.yaml and as a data yaml. */
#include "fuzz.h"

#include <string.h>

#include "data/dataset_yaml.h"
#include "quant/quant_config.h"

static void read_quant_config(const uint8_t *data, size_t size)
{
    quant_config *c;
    ptq_error err;
    if (quant_config_parse((const char *)data, size, "fuzz.yaml", &c, &err) != PTQ_OK)
        return;
    (void)quant_config_rule(c, "model.0.conv", GRAPH_OP_CONV);
    (void)quant_config_tensor(c, "model.0.conv");
    quant_config_destroy(c);
}

static bool has_dots(const uint8_t *data, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (data[i - 1] == '.' && data[i] == '.')
            return true;
    return false;
}

static void read_dataset(const uint8_t *data, size_t size)
{
    char path[64];
    dataset_source source = {.yaml_path = path, .split = "val"};
    dataset_yaml out;
    image_list images = {0};
    ptq_error err;
    bool leads_away = size && (memchr(data, '/', size) || has_dots(data, size));
    if (leads_away || !fuzz_file(data, size, path)) /* "val: /" would search this machine */
        return;
    arena *memory = arena_create((size_t)64 << 20);
    if (memory && image_list_init(&images, &err) == PTQ_OK &&
        dataset_yaml_read(&source, memory, &out, &images, &err) == PTQ_OK)
        for (int i = 0; i < out.n_classes; i++)
            if (!out.class_names[i])
                abort();
    image_list_clear(&images);
    arena_destroy(memory);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_quant_config(data, size);
    read_dataset(data, size);
    return 0;
}
