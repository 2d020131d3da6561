/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint into a model: which of its networks, from its own modules or from a config.
 * Spec: checkpoint.md §7. */
#include <string.h>

#include "base/mem.h"
#include "model/cfg_network.h"
#include "model/model.h"
#include "model/module_graph.h"
#include "model/module_weights.h"
#include "model/pt_modules.h"

#define DEFAULT_MAX_BYTES ((size_t)4 << 30)
enum { DEFAULT_MAX_DEPTH = 1000 };

typedef struct importer {
    const model_options *options;
    const ptq_env *env;
    ptq_error *err;
    size_t max_bytes;
    pt_file *file;
    const pickle_value *source; /* a Model object or a state dict */
    network *net;
    pt_state *weights;
} importer;

static bool is_there(const pickle_value *v)
{
    return v && (v->kind == PICKLE_OBJECT || pt_is_state_dict(v));
}

/* As attempt_load: `ema` when it is there, else `model`; or the root itself. */
static ptq_status choose_source(importer *im)
{
    const pickle_value *root = pt_file_root(im->file);
    const char *wanted = im->options ? im->options->weights : NULL;
    static const char *const keys[] = {"ema", "model", "state_dict"};
    if (wanted && strcmp(wanted, "ema") != 0 && strcmp(wanted, "model") != 0)
        return error_set(im->err, PTQ_USAGE, "weights '%s' are not known; 'ema' or 'model'",
                         wanted);
    for (size_t i = 0; i < 3 && !im->source; i++)
        if (is_there(pickle_get(root, keys[i])) && (!wanted || strcmp(wanted, keys[i]) == 0))
            im->source = pickle_get(root, keys[i]);
    if (wanted && !im->source)
        return error_set(im->err, PTQ_FORMAT, "the checkpoint holds no '%s'; leave --weights out",
                         wanted);
    if (!im->source && is_there(root))
        im->source = root;
    im->source = pt_open_wrapper(im->source);
    if (!im->source)
        return error_set(im->err, PTQ_FORMAT,
                         "the file is a PyTorch archive, but neither a checkpoint with 'model' or "
                         "'ema' nor a state dict");
    return PTQ_OK;
}

static ptq_status read_network(importer *im)
{
    bool is_object = im->source->kind == PICKLE_OBJECT;
    if (im->options && im->options->cfg) {
        PTQ_TRY(cfg_read_network(im->options->cfg, &im->net, im->err));
        return is_object ? pt_read_class_names(im->source, im->net, im->err) : PTQ_OK;
    }
    if (is_object)
        return pt_read_network(im->file, im->source, &im->net, im->err);
    return error_set(im->err, PTQ_UNSUPPORTED,
                     "it holds weights by name but not the network; give the network's config with "
                     "--cfg (for example --cfg yolov7.yaml)");
}

static ptq_status build(importer *im, graph **g)
{
    bool has_cfg = im->options && im->options->cfg;
    PTQ_TRY(choose_source(im));
    PTQ_TRY(read_network(im));
    PTQ_TRY(env_check_cancel(im->env, im->err));
    PTQ_TRY(pt_state_create(im->file, im->source, &im->weights, im->err));
    PTQ_TRY(weights_check(im->net, im->weights, has_cfg, im->env, im->err));
    PTQ_TRY(network_to_graph(im->net, im->weights, im->max_bytes, g, im->err));
    int n_bad = pt_file_n_bad_checksums(im->file);
    if (n_bad > 0)
        env_log(im->env, PTQ_LOG_WARNING,
                "%d records of the checkpoint do not have the checksum that the archive notes: "
                "written without checksums, or damaged",
                n_bad);
    return PTQ_OK;
}

static ptq_status copy_class_names(const network *net, int n_classes, char ***out, ptq_error *err)
{
    if (!net->class_names)
        return PTQ_OK;
    char **names = mem_array((size_t)n_classes, sizeof *names);
    bool is_whole = names != NULL;
    for (int i = 0; i < n_classes && is_whole; i++) {
        names[i] = mem_strdup(net->class_names[i]);
        is_whole = names[i] != NULL;
    }
    if (is_whole) {
        *out = names;
        return PTQ_OK;
    }
    for (int i = 0; i < n_classes && names; i++)
        mem_free(names[i]);
    mem_free(names);
    return error_no_memory(err, 0, "class names");
}

static ptq_status describe(const network *net, model *m, ptq_error *err)
{
    const module_head *h = net->layers->parts[net->layers->n_parts - 1]->as.head;
    network_size size;
    PTQ_TRY(network_measure(net, &size, err));
    PTQ_TRY(copy_class_names(net, h->n_classes, &m->class_names, err));
    m->format = MODEL_PT;
    m->n_classes = h->n_classes;
    m->stride = 0;
    for (int i = 0; i < h->n_levels; i++)
        if ((int)h->stride[i] > m->stride)
            m->stride = (int)h->stride[i];
    m->n_layers = size.n_modules;
    m->n_layers_fused = size.n_modules_fused;
    m->n_parameters = size.n_parameters;
    m->n_parameters_fused = size.n_parameters_fused;
    return PTQ_OK;
}

ptq_status pt_import(const char *path, const model_options *options, const ptq_env *env, model *m,
                     ptq_error *err)
{
    importer im = {.options = options, .env = env, .err = err, .max_bytes = DEFAULT_MAX_BYTES};
    size_t max_depth = DEFAULT_MAX_DEPTH;
    if (options && options->max_bytes)
        im.max_bytes = options->max_bytes;
    if (options && options->max_depth)
        max_depth = options->max_depth;
    graph *g = NULL;
    ptq_status status = pt_file_open(path, im.max_bytes, max_depth, &im.file, err);
    if (status == PTQ_OK)
        status = build(&im, &g);
    if (status == PTQ_OK)
        status = describe(im.net, m, err);
    if (status == PTQ_OK) {
        m->graph = g;
    } else {
        graph_destroy(g);
        error_context(err, "cannot load '%s'", path);
    }
    pt_state_destroy(im.weights);
    network_destroy(im.net);
    pt_file_close(im.file);
    return status;
}
