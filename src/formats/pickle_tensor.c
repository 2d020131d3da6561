/* SPDX-License-Identifier: Apache-2.0 */
/* Torch's part of a pickle: persistent ids name storages, _rebuild_tensor calls describe tensors.
 * Spec: checkpoint.md §3.3, §3.4. */
#include <inttypes.h>
#include <string.h>

#include "formats/pickle_machine.h"

#define ELEMENT_ROW(name, bytes, storage, dtype) {bytes, storage, dtype},
static const struct {
    size_t bytes;
    const char *storage;
    const char *dtype;
} ELEMENTS[] = {PICKLE_ELEMENT_LIST(ELEMENT_ROW)};
#undef ELEMENT_ROW

size_t pickle_element_bytes(pickle_element e)
{
    return ELEMENTS[e].bytes;
}

static bool element_of_storage(const pickle_value *type, pickle_element *e)
{
    static const char *const modules[] = {"torch", "torch.cuda", "torch.storage"};
    if (type->kind != PICKLE_GLOBAL)
        return false;
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        for (*e = 0; *e < PICKLE_ELEMENT_COUNT && strcmp(type->as.global.module, modules[i]) == 0;
             ++*e)
            if (strcmp(type->as.global.name, ELEMENTS[*e].storage) == 0)
                return true;
    return false;
}

static bool element_of_dtype(const pickle_value *type, pickle_element *e)
{
    if (type->kind != PICKLE_GLOBAL || strcmp(type->as.global.module, "torch") != 0)
        return false;
    for (*e = 0; *e < PICKLE_ELEMENT_BYTES; ++*e)
        if (strcmp(type->as.global.name, ELEMENTS[*e].dtype) == 0)
            return true;
    return false;
}

ptq_status pickle_persistent(pickle_machine *m, const pickle_value *id, pickle_value **out)
{
    size_t n = 0;
    pickle_value *const *item = pickle_items(id, &n);
    const char *what = n > 0 ? pickle_str(item[0]) : NULL;
    if (n < 5 || !what || strcmp(what, "storage") != 0 || !pickle_str(item[2]))
        return pickle_fail(m, PTQ_FORMAT, "a persistent id that is not a tensor storage");
    pickle_element element;
    if (!element_of_storage(item[1], &element))
        return pickle_fail(m, PTQ_UNSUPPORTED, "storage '%s' has the unknown type '%s'",
                           pickle_str(item[2]),
                           item[1]->kind == PICKLE_GLOBAL ? item[1]->as.global.name : "?");
    int64_t n_elements;
    if (!pickle_int(item[4], &n_elements) || n_elements < 0 ||
        n_elements > INT64_MAX / (int64_t)ELEMENTS[element].bytes)
        return pickle_fail(m, PTQ_FORMAT, "storage '%s' has an impossible number of elements",
                           pickle_str(item[2]));
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, PICKLE_STORAGE, &v));
    v->as.storage = (pickle_storage){pickle_str(item[2]), element, n_elements};
    *out = v;
    return PTQ_OK;
}

static ptq_status read_dims(pickle_machine *m, const pickle_value *v, const char *what,
                            int64_t dims[PICKLE_MAX_RANK], size_t *rank)
{
    size_t n = 0;
    pickle_value *const *items = pickle_items(v, &n);
    if (v->kind != PICKLE_TUPLE && v->kind != PICKLE_LIST)
        return pickle_fail(m, PTQ_FORMAT, "the %s of a tensor is not a tuple", what);
    if (n > PICKLE_MAX_RANK)
        return pickle_fail(m, PTQ_UNSUPPORTED, "a tensor of %zu dimensions, at most %d", n,
                           PICKLE_MAX_RANK);
    for (size_t i = 0; i < n; i++)
        if (!pickle_int(items[i], &dims[i]) || dims[i] < 0)
            return pickle_fail(m, PTQ_FORMAT, "a %s of a tensor is not a number >= 0", what);
    *rank = n;
    return PTQ_OK;
}

/* Counts the elements and finds the last one's index; false when a number overflows. */
static bool measure(pickle_tensor *t, int64_t *last)
{
    t->n_elements = 1;
    *last = t->offset;
    for (int i = 0; i < t->rank; i++)
        if (t->size[i] == 0)
            t->n_elements = 0;
    for (int i = 0; i < t->rank && t->n_elements > 0; i++) {
        int64_t span;
        if (__builtin_mul_overflow(t->n_elements, t->size[i], &t->n_elements) ||
            __builtin_mul_overflow(t->size[i] - 1, t->stride[i], &span) ||
            __builtin_add_overflow(*last, span, last))
            return false;
    }
    return true;
}

static ptq_status check_inside(pickle_machine *m, pickle_tensor *t)
{
    int64_t last, n_elements = t->storage->n_elements;
    if (t->element != t->storage->element)
        n_elements /= (int64_t)ELEMENTS[t->element].bytes;
    if (!measure(t, &last))
        return pickle_fail(m, PTQ_FORMAT, "the size of a tensor in storage '%s' overflows",
                           t->storage->key);
    if (t->n_elements > 0 && last >= n_elements)
        return pickle_fail(m, PTQ_FORMAT,
                           "a tensor reaches element %" PRId64
                           " of storage '%s', which has %" PRId64,
                           last, t->storage->key, n_elements);
    return PTQ_OK;
}

/* (storage, offset, size, stride[, requires_grad, hooks[, metadata | dtype[, metadata]]]) */
ptq_status pickle_rebuild_tensor(pickle_machine *m, const pickle_value *args, int version,
                                 pickle_value **out)
{
    size_t n = 0;
    pickle_value *const *item = pickle_items(args, &n);
    size_t least = version == 1 ? 4 : version == 2 ? 6 : 7, metadata = version == 3 ? 7 : 6;
    if (n < least || item[0]->kind != PICKLE_STORAGE)
        return pickle_fail(m, PTQ_FORMAT, "a tensor without a storage");
    if (n > metadata && item[metadata]->kind == PICKLE_DICT && item[metadata]->as.dict.n > 0)
        return pickle_fail(m, PTQ_UNSUPPORTED, "a tensor with a conjugate or negative view");
    pickle_tensor *t = arena_alloc(m->arena, 1, sizeof *t);
    if (!t)
        return pickle_no_memory(m);
    t->storage = &item[0]->as.storage;
    t->element = t->storage->element;
    if (version == 3 && !element_of_dtype(item[6], &t->element))
        return pickle_fail(m, PTQ_UNSUPPORTED, "a tensor of unknown element type");
    if (version == 3 && t->storage->element != PICKLE_ELEMENT_BYTES &&
        t->storage->element != t->element)
        return pickle_fail(m, PTQ_FORMAT, "a tensor and its storage differ in type");
    if (t->element == PICKLE_ELEMENT_BYTES)
        return pickle_fail(m, PTQ_UNSUPPORTED, "a tensor of untyped bytes");
    if (!pickle_int(item[1], &t->offset) || t->offset < 0)
        return pickle_fail(m, PTQ_FORMAT, "a tensor's offset is not a number >= 0");
    size_t rank, n_strides;
    PTQ_TRY(read_dims(m, item[2], "size", t->size, &rank));
    PTQ_TRY(read_dims(m, item[3], "stride", t->stride, &n_strides));
    if (rank != n_strides)
        return pickle_fail(m, PTQ_FORMAT, "a tensor has %zu sizes but %zu strides", rank,
                           n_strides);
    t->rank = (int)rank;
    PTQ_TRY(check_inside(m, t));
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, PICKLE_TENSOR, &v));
    v->as.tensor = t;
    *out = v;
    return PTQ_OK;
}
