/* SPDX-License-Identifier: Apache-2.0 */
/* model/cfg_blocks.h — the modules of a config, made as their Python constructors make them.
 *
 * Spec: model.md §3, whose table names arguments, parts and their order.
 */
#ifndef MODEL_CFG_BLOCKS_H
#define MODEL_CFG_BLOCKS_H

#include "formats/yaml_doc.h"
#include "model/module.h"

/* An argument as Python would evaluate it. */
typedef enum cfg_kind {
    CFG_NONE,
    CFG_BOOL,
    CFG_NUMBER,
    CFG_TEXT,
    CFG_LIST,
    CFG_ACTIVATION
} cfg_kind;

typedef struct cfg_arg {
    cfg_kind kind;
    bool truth;
    double number;
    const char *text;       /* TEXT; the type of an ACTIVATION */
    float slope;            /* of an ACTIVATION; 0 where it has none */
    const yaml_value *list; /* LIST */
} cfg_arg;

enum { CFG_MAX_ARGS = 16, CFG_MAX_CHANNELS = 65536 };

typedef struct cfg_args {
    int in;      /* channels */
    int out;     /* channels */
    int repeats; /* of the parts inside; 1 for most */
    int n_args;  /* those written in the row, without the output channels */
    cfg_arg args[CFG_MAX_ARGS];
    const int *inputs; /* channels of every input; a head needs them */
    int n_inputs;
} cfg_args;

typedef struct cfg_builder {
    network *net;
    const yaml_doc *doc;
    const yaml_value *row; /* being built, for messages and as identity of its activation */
    int n_modules;
    module_head head; /* classes and anchors of the config */
    ptq_error *err;
} cfg_builder;

typedef struct cfg_type {
    const char *name;        /* in the config */
    const char *module_type; /* of the module it makes */
    bool has_channels;       /* its first argument is the output channels */
    bool is_repeat_aware;    /* takes the number of repeats itself */
    ptq_status (*make)(cfg_builder *b, module *m, const cfg_args *a); /* adds parts, numbers */
} cfg_type;

/* NULL: unknown. */
const cfg_type *cfg_type_find(const char *name);

/* A module with its parts, below `parent`. */
PTQ_CHECKED ptq_status cfg_make(cfg_builder *b, const cfg_type *type, module *parent,
                                const char *name, const cfg_args *a);
/* A bare module. */
PTQ_CHECKED ptq_status cfg_add(cfg_builder *b, module *parent, const char *type, const char *name,
                               module **out);
/* Reports PTQ_FORMAT at the present row. */
#define cfg_error(b, ...) (cfg_error_at((b), __VA_ARGS__), PTQ_FORMAT)
void cfg_error_at(const cfg_builder *b, const char *format, ...) PTQ_PRINTF(2, 3);

#endif
