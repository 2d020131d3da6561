/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model_handle.h"

#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "graph/fusion.h"

/* The graph that will be fused: weights that only it holds are then changed in place. */
static ptq_status take_graph(ptq_model *m, bool keep_unfused, ptq_error *err)
{
    if (keep_unfused)
        return graph_copy(m->file->graph, &m->clean, err);
    m->clean = m->file->graph;
    m->file->graph = NULL;
    return PTQ_OK;
}

static const char *const FAMILIES[] = {
    [DETECTOR_AUTO] = "auto",
    [DETECTOR_YOLOV7] = "yolov7",
    [DETECTOR_YOLOX] = "yolox",
    [DETECTOR_YOLOV8] = "yolov8",
};
enum { N_FAMILIES = sizeof FAMILIES / sizeof *FAMILIES };

const char *model_family(const ptq_model *m)
{
    return FAMILIES[graph_detector(m->clean)->family];
}

/* Whether all shapes follow from the input's, as they do without shapes that are computed. */
static bool follows_input(const graph *g, const shape *input)
{
    graph *trial = NULL;
    if (graph_copy(g, &trial, NULL) != PTQ_OK)
        return true;
    ptq_status status = pass_fold_constants(trial, NULL);
    if (status == PTQ_OK)
        status = graph_set_input_shape(trial, input, NULL);
    graph_destroy(trial);
    return status != PTQ_UNSUPPORTED;
}

/* A file that computes shapes from an open input becomes one of a fixed size: one image. */
static ptq_status fix_size(ptq_model *m, int size, const ptq_env *env, ptq_error *err)
{
    if (m->file->format == MODEL_PT || graph_n_inputs(m->clean) != 1)
        return PTQ_OK;
    const tensor *input = graph_tensor_const(m->clean, graph_input(m->clean, 0));
    shape s = input->shape;
    bool is_open = false;
    for (int i = 0; i < s.rank && s.rank == 4; i++)
        if (s.dim[i] < 0) {
            s.dim[i] = i == 0 ? 1 : i == 1 ? 3 : size;
            is_open = true;
        }
    if (!is_open || follows_input(m->clean, &s))
        return PTQ_OK;
    char text[128];
    PTQ_TRY(pass_fix_input_shape(m->clean, &s, err));
    env_log(env, PTQ_LOG_WARNING,
            "'%s' computes shapes from its input; it is read for the input %s", m->file->path,
            shape_text(&s, text));
    return PTQ_OK;
}

/* A checkpoint has the head of its own code. */
static ptq_status find_family(ptq_model *m, const char *asked, ptq_error *err)
{
    int family = 0;
    while (asked && family < N_FAMILIES && strcmp(asked, FAMILIES[family]) != 0)
        family++;
    if (family == N_FAMILIES)
        return error_set(err, PTQ_USAGE,
                         "family '%s' is not known; use auto, yolov7, yolox or yolov8", asked);
    if (family == DETECTOR_AUTO && m->file->format == MODEL_PT)
        family = DETECTOR_YOLOV7;
    return pass_recognise_family(m->clean, (detector_family)family, err);
}

ptq_status ptq_model_load(const char *path, const ptq_load_options *options, const ptq_env *env,
                          ptq_model **out, ptq_error *err)
{
    model_options o = {0};
    bool keep_unfused = options && options->keep_unfused;
    if (options)
        o = (model_options){options->weights, options->cfg, options->max_bytes, options->max_depth};
    ptq_model *m = mem_zalloc(sizeof *m);
    if (!m)
        return error_no_memory(err, sizeof *m, "a model");
    double start = clock_ms();
    ptq_status status = model_load(path, &o, env, &m->file, err);
    if (status == PTQ_OK) { /* messages before this one name the file */
        status = take_graph(m, keep_unfused, err);
        if (status == PTQ_OK)
            status = fix_size(m, options && options->image_size > 0 ? options->image_size : 640,
                              env, err);
        if (status == PTQ_OK)
            status = passes_clean(m->clean, err);
        if (status == PTQ_OK)
            status = find_family(m, options ? options->family : NULL, err);
        if (status != PTQ_OK)
            error_context(err, "cannot load '%s'", path);
    }
    if (status != PTQ_OK) {
        ptq_model_destroy(m);
        return status;
    }
    m->load_ms = clock_ms() - start;
    *out = m;
    return PTQ_OK;
}

void ptq_model_destroy(ptq_model *m)
{
    if (!m)
        return;
    inserted_destroy(m->inserted);
    model_destroy(m->file);
    graph_destroy(m->clean);
    mem_free(m);
}

const char *ptq_model_class(const ptq_model *m, int cls)
{
    const model *file = m->file;
    return file->class_names && cls >= 0 && cls < file->n_classes ? file->class_names[cls] : NULL;
}

bool graph_has_qdq(const graph *g)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (!n->is_dead && n->op == GRAPH_OP_DEQUANTIZE_LINEAR)
            return true;
    }
    return false;
}

bool model_has_qdq(const ptq_model *m)
{
    return m->inserted || graph_has_qdq(m->clean);
}

precision resolve_precision(const graph *g, ptq_precision p)
{
    switch (p) {
    case PTQ_PRECISION_FP16:
        return PRECISION_FP16;
    case PTQ_PRECISION_BF16:
        return PRECISION_BF16;
    case PTQ_PRECISION_INT8:
        return PRECISION_INT8;
    case PTQ_PRECISION_AUTO:
        return graph_has_qdq(g) ? PRECISION_INT8 : PRECISION_FP32;
    case PTQ_PRECISION_FP32:
        break;
    }
    return PRECISION_FP32;
}

const char *precision_name(precision p)
{
    static const char *const names[] = {"fp32", "fp16", "bf16", "int8"};
    return names[p];
}

static int count_names(const char *const *names)
{
    int n = 0;
    while (names && names[n])
        n++;
    return n;
}

ptq_status api_session(const session_request *request, const ptq_env *env, session **out,
                       ptq_error *err)
{
    cpu_level level;
    PTQ_TRY(cpu_level_parse(env->cpu, &level, err));
    unsigned without;
    PTQ_TRY(fusions_parse(env->without, &without, err));
    precision p = resolve_precision(request->graph, request->precision);
    graph *lowered;
    PTQ_TRY(graph_copy(request->graph, &lowered, err));
    lower_options lower = {.precision = p,
                           .has_bf16 = level >= CPU_AVX512BF16,
                           .keep = request->taps,
                           .without = without};
    ptq_status status = request->detections ? pass_append_detections(lowered, err) : PTQ_OK;
    if (status == PTQ_OK)
        status = pass_lower(lowered, &lower, err);
    session_options options = {.threads = env_threads(env),
                               .level = level,
                               .exact = request->exact,
                               .without = without,
                               .taps = request->taps,
                               .n_taps = count_names(request->taps)};
    if (status == PTQ_OK)
        status = session_create(lowered, &options, out, err);
    graph_destroy(lowered);
    return status;
}

bool model_is_static(const ptq_model *m)
{
    return m->file->is_static ||
           !graph_tensor_const(m->clean, graph_input(m->clean, 0))->is_dynamic;
}

shape model_input_shape(const ptq_model *m, int batch, int size)
{
    const tensor *input = graph_tensor_const(m->clean, graph_input(m->clean, 0));
    shape s = input->shape;
    if (!input->is_dynamic)
        return s;
    if (!m->file->is_static)
        return shape4(batch, 3, size, size);
    s.dim[0] = batch;
    return s;
}

int model_image_size(const ptq_model *m, int asked, const ptq_env *env)
{
    const shape *input = &graph_tensor_const(m->clean, graph_input(m->clean, 0))->shape;
    if (model_is_static(m) && input->rank == 4) {
        int own = (int)(input->dim[2] > input->dim[3] ? input->dim[2] : input->dim[3]);
        if (own != asked)
            env_log(env, PTQ_LOG_WARNING, "'%s' runs at its own size %d, not at %d", m->file->path,
                    own, asked);
        return own;
    }
    int stride = m->file->stride > 0 ? m->file->stride : 32;
    int size = (asked + stride - 1) / stride * stride;
    if (size != asked)
        env_log(env, PTQ_LOG_WARNING, "image size %d is no multiple of the stride %d; using %d",
                asked, stride, size);
    return size;
}

ptq_status check_output(const char *path, bool force, ptq_error *err)
{
    if (!force && file_exists(path) && !file_is_special(path))
        return error_set(err, PTQ_IO, "'%s' exists; use --force to replace it", path);
    return file_check_writable(path, err);
}
