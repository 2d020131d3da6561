/* SPDX-License-Identifier: Apache-2.0 */
/* Names and calls of a pickle: which are known, which become inert records, which are refused.
 * Spec: checkpoint.md §5. */
#include <string.h>

#include "formats/pickle_machine.h"

typedef ptq_status (*call_fn)(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                              pickle_value **out);

static bool is_collection(const pickle_value *v)
{
    return v->kind == PICKLE_LIST || v->kind == PICKLE_TUPLE || v->kind == PICKLE_SET;
}

static ptq_status call_collection(pickle_machine *m, pickle_kind kind, const pickle_value *args,
                                  pickle_value **out)
{
    size_t n_args, n = 0;
    pickle_value *const *arg = pickle_items(args, &n_args);
    if (n_args > 1 || (n_args == 1 && !is_collection(arg[0])))
        return pickle_fail(m, PTQ_FORMAT, "a list, tuple or set made of something else");
    pickle_value *const *items = n_args ? pickle_items(arg[0], &n) : NULL;
    return pickle_new_list(m, kind, items, n, out);
}

static ptq_status call_list(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                            pickle_value **out)
{
    (void)callee;
    return call_collection(m, PICKLE_LIST, args, out);
}

static ptq_status call_tuple(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                             pickle_value **out)
{
    (void)callee;
    return call_collection(m, PICKLE_TUPLE, args, out);
}

static ptq_status call_set(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                           pickle_value **out)
{
    (void)callee;
    return call_collection(m, PICKLE_SET, args, out);
}

/* dict() and OrderedDict(), empty or of a list of pairs. */
static ptq_status call_dict(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                            pickle_value **out)
{
    (void)callee;
    size_t n_args, n = 0;
    pickle_value *const *arg = pickle_items(args, &n_args);
    pickle_value *const *pairs = n_args ? pickle_items(arg[0], &n) : NULL;
    if (n_args > 1 || (n_args == 1 && !is_collection(arg[0])))
        return pickle_fail(m, PTQ_FORMAT, "a dictionary made of something else than pairs");
    pickle_value *dict;
    PTQ_TRY(pickle_new(m, PICKLE_DICT, &dict));
    for (size_t i = 0; i < n; i++) {
        size_t two;
        pickle_value *const *pair = pickle_items(pairs[i], &two);
        if (two != 2)
            return pickle_fail(m, PTQ_FORMAT, "a dictionary made of something else than pairs");
        PTQ_TRY(pickle_store(m, dict, pair[0], pair[1]));
    }
    *out = dict;
    return PTQ_OK;
}

/* The first argument is the value: torch.Size(tuple), Parameter(tensor, ...). */
static ptq_status call_first(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                             pickle_value **out)
{
    size_t n = 0;
    pickle_value *const *arg = pickle_items(args, &n);
    if (n == 0)
        return pickle_fail(m, PTQ_FORMAT, "'%s' without arguments", callee->as.global.name);
    *out = arg[0];
    return PTQ_OK;
}

static ptq_status call_opaque(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                              pickle_value **out)
{
    PTQ_TRY(pickle_new(m, PICKLE_OPAQUE, out));
    (*out)->as.object.type = callee;
    (*out)->as.object.args = args;
    return PTQ_OK;
}

static ptq_status call_tensor(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                              pickle_value **out)
{
    const char *name = callee->as.global.name;
    int version = strcmp(name, "_rebuild_tensor_v2") == 0   ? 2
                  : strcmp(name, "_rebuild_tensor_v3") == 0 ? 3
                                                            : 1;
    return pickle_rebuild_tensor(m, args, version, out);
}

/* _rebuild_from_type_v2(func, type, args, state) is func(*args). */
static ptq_status call_from_type(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                                 pickle_value **out)
{
    (void)callee;
    size_t n = 0;
    pickle_value *const *arg = pickle_items(args, &n);
    if (n < 3 || arg[0]->kind != PICKLE_GLOBAL ||
        strcmp(arg[0]->as.global.module, "torch._utils") != 0)
        return pickle_fail(m, PTQ_FORMAT, "a tensor subclass that is rebuilt by unknown means");
    return pickle_reduce(m, arg[0], arg[2], out);
}

/* _codecs.encode(text, "latin1"): every code point below 256 is one byte. */
static ptq_status call_encode(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                              pickle_value **out)
{
    (void)callee;
    size_t n = 0;
    pickle_value *const *arg = pickle_items(args, &n);
    if (n == 0 || arg[0]->kind != PICKLE_STR)
        return pickle_fail(m, PTQ_FORMAT, "bytes that are not encoded from a text");
    const unsigned char *text = (const unsigned char *)arg[0]->as.text.data;
    size_t size = arg[0]->as.text.size, n_bytes = 0;
    char *bytes = arena_alloc(m->arena, size + 1, 1);
    if (!bytes)
        return pickle_no_memory(m);
    for (size_t i = 0; i < size; i++) {
        unsigned c = text[i];
        if (c >= 0x80) { /* UTF-8 of U+0080 to U+00FF */
            if ((c & 0xfc) != 0xc0 || (text[i + 1] & 0xc0) != 0x80)
                return pickle_fail(m, PTQ_FORMAT, "a text that is not latin-1");
            c = (c & 3) << 6 | (text[++i] & 0x3f);
        }
        bytes[n_bytes++] = (char)c;
    }
    PTQ_TRY(pickle_new(m, PICKLE_BYTES, out));
    (*out)->as.text.data = bytes;
    (*out)->as.text.size = n_bytes;
    return PTQ_OK;
}

static ptq_status call_object(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                              pickle_value **out)
{
    return pickle_new_object(m, callee, args, out);
}

/* copyreg._reconstructor(class, base, state): an object of the class. */
static ptq_status call_reconstructor(pickle_machine *m, const pickle_value *callee,
                                     pickle_value *args, pickle_value **out)
{
    (void)callee;
    size_t n = 0;
    pickle_value *const *arg = pickle_items(args, &n);
    if (n == 0)
        return pickle_fail(m, PTQ_FORMAT, "an object without a class");
    return pickle_new_object(m, arg[0], NULL, out);
}

/* Everything that may be called. */
static const struct {
    const char *module;
    const char *name;
    call_fn call;
} CALLS[] = {
    {"collections", "OrderedDict", call_dict},
    {"torch._utils", "_rebuild_tensor", call_tensor},
    {"torch._utils", "_rebuild_tensor_v2", call_tensor},
    {"torch._utils", "_rebuild_tensor_v3", call_tensor},
    {"torch._utils", "_rebuild_parameter", call_first},
    {"torch._utils", "_rebuild_parameter_with_state", call_first},
    {"torch._tensor", "_rebuild_from_type_v2", call_from_type},
    {"torch.tensor", "_rebuild_from_type_v2", call_from_type},
    {"torch", "Size", call_first},
    {"torch", "device", call_opaque},
    {"builtins", "set", call_set},
    {"builtins", "frozenset", call_set},
    {"builtins", "list", call_list},
    {"builtins", "tuple", call_tuple},
    {"builtins", "dict", call_dict},
    {"builtins", "getattr", call_opaque}, /* a bound method; kept as a note, never followed */
    {"builtins", "object", call_opaque},
    {"builtins", "int", call_opaque},
    {"builtins", "long", call_opaque},
    {"builtins", "float", call_opaque},
    {"builtins", "complex", call_opaque},
    {"builtins", "bytearray", call_opaque},
    {"builtins", "slice", call_opaque},
    {"builtins", "range", call_opaque},
    {"builtins", "xrange", call_opaque},
    {"_codecs", "encode", call_encode},
    {"numpy.core.multiarray", "_reconstruct", call_opaque},
    {"numpy.core.multiarray", "scalar", call_opaque},
    {"numpy._core.multiarray", "_reconstruct", call_opaque},
    {"numpy._core.multiarray", "scalar", call_opaque},
    {"numpy", "ndarray", call_opaque},
    {"numpy", "dtype", call_opaque},
    {"copyreg", "_reconstructor", call_reconstructor},
    {"pathlib", "PosixPath", call_opaque},
    {"pathlib", "WindowsPath", call_opaque},
    {"datetime", "datetime", call_opaque},
};

/* Modules whose classes may be made by a call: inert records of the class. */
static const char *const CLASS_MODULES[] = {"models", "utils", "torch.nn", "pytorch_quantization"};

/* Modules nothing of which belongs into a checkpoint. */
static const char *const HARMFUL_MODULES[] = {
    "os",     "posix",   "nt",       "sys",        "subprocess",  "runpy",
    "pty",    "socket",  "shutil",   "importlib",  "imp",         "ctypes",
    "pickle", "_pickle", "cPickle",  "dill",       "cloudpickle", "marshal",
    "code",   "codeop",  "commands", "webbrowser", "timeit",      "multiprocessing",
    "signal", "urllib",  "http",     "torch.hub",  "torch.jit",   "torch.utils.cpp_extension"};

/* The only built-ins there are. */
static const char *const BUILTINS[] = {"set",     "frozenset", "list",    "tuple", "dict",
                                       "getattr", "object",    "int",     "long",  "float",
                                       "complex", "bytearray", "slice",   "range", "xrange",
                                       "bool",    "str",       "unicode", "bytes"};

static bool is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

/* The module itself, or one inside it. */
static bool is_below(const char *module, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(list[i]);
        if (strncmp(module, list[i], length) == 0 &&
            (module[length] == '\0' || module[length] == '.'))
            return true;
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

ptq_status pickle_global(pickle_machine *m, const char *module, const char *name,
                         pickle_value **out)
{
    if (strcmp(module, "__builtin__") == 0) /* the names of Python 2 */
        module = "builtins";
    else if (strcmp(module, "copy_reg") == 0)
        module = "copyreg";
    bool is_harmful = strcmp(module, "builtins") == 0
                          ? !is_in(name, BUILTINS, COUNT(BUILTINS))
                          : is_below(module, HARMFUL_MODULES, COUNT(HARMFUL_MODULES));
    if (is_harmful)
        return pickle_fail(m, PTQ_FORMAT,
                           "it refers to '%s.%s', which no model needs: refused, and nothing was "
                           "executed; do not use this file",
                           module, name);
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, PICKLE_GLOBAL, &v));
    v->as.global.module = arena_strdup(m->arena, module);
    v->as.global.name = arena_strdup(m->arena, name);
    if (!v->as.global.module || !v->as.global.name)
        return pickle_no_memory(m);
    *out = v;
    return PTQ_OK;
}

ptq_status pickle_reduce(pickle_machine *m, const pickle_value *callee, pickle_value *args,
                         pickle_value **out)
{
    if (callee->kind != PICKLE_GLOBAL || args->kind != PICKLE_TUPLE)
        return pickle_fail(m, PTQ_FORMAT, "a call of something that is not a function");
    const char *module = callee->as.global.module, *name = callee->as.global.name;
    for (size_t i = 0; i < COUNT(CALLS); i++)
        if (strcmp(CALLS[i].module, module) == 0 && strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].call(m, callee, args, out);
    if (is_below(module, CLASS_MODULES, COUNT(CLASS_MODULES)))
        return call_object(m, callee, args, out);
    return pickle_fail(m, PTQ_UNSUPPORTED,
                       "it calls '%s.%s', which is not among the functions that checkpoints need; "
                       "nothing was executed",
                       module, name);
}

ptq_status pickle_new_object(pickle_machine *m, const pickle_value *type, pickle_value *args,
                             pickle_value **out)
{
    if (type->kind != PICKLE_GLOBAL)
        return pickle_fail(m, PTQ_FORMAT, "an object whose class is not a name");
    if (strcmp(type->as.global.module, "collections") == 0 &&
        strcmp(type->as.global.name, "OrderedDict") == 0)
        return pickle_new(m, PICKLE_DICT, out);
    PTQ_TRY(pickle_new(m, PICKLE_OBJECT, out));
    (*out)->as.object.type = type;
    (*out)->as.object.args = args;
    return PTQ_OK;
}

static ptq_status merge(pickle_machine *m, pickle_value *object, const pickle_value *state)
{
    if (!object->as.object.attributes)
        PTQ_TRY(pickle_new(m, PICKLE_DICT, &object->as.object.attributes));
    for (size_t i = 0; i < state->as.dict.n; i++)
        PTQ_TRY(pickle_store(m, object->as.object.attributes, state->as.dict.pairs[i].key,
                             state->as.dict.pairs[i].value));
    return PTQ_OK;
}

/* Attributes of an object: a dictionary, or (dictionary or None, dictionary of slots). The extras
 * of a dictionary (state_dict's _metadata), tensor or opaque value are of no use and dropped. */
ptq_status pickle_build(pickle_machine *m, pickle_value *target, pickle_value *state)
{
    if (target->kind != PICKLE_OBJECT)
        return PTQ_OK;
    if (state->kind == PICKLE_DICT && !target->as.object.attributes) {
        target->as.object.attributes = state;
        return PTQ_OK;
    }
    if (state->kind == PICKLE_DICT)
        return merge(m, target, state);
    size_t n = 0;
    pickle_value *const *part = pickle_items(state, &n);
    for (size_t i = 0; i < n && n == 2; i++)
        if (part[i]->kind == PICKLE_DICT)
            PTQ_TRY(merge(m, target, part[i]));
    return PTQ_OK;
}
