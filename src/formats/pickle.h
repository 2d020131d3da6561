/* SPDX-License-Identifier: Apache-2.0 */
/* formats/pickle.h — a Python pickle, as PyTorch writes it, read into an inert document.
 *
 * Nothing is imported and nothing is called. A class under NEWOBJ becomes a record with its name
 * and attributes; a function under REDUCE must be in the fixed table of pickle_reduce.c, else the
 * pickle is refused by name; modules that can do harm are refused on sight. Tensors stay
 * descriptions: the storage's key, and an offset, sizes and strides that were checked to lie inside
 * it. Spec: checkpoint.md §3, §5.
 *
 * The document is a graph, not a tree: one value may be reached twice, and cycles exist. Whoever
 * walks it limits the depth. All values belong to the pickle_doc.
 */
#ifndef FORMATS_PICKLE_H
#define FORMATS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_STR,
    PICKLE_BYTES,
    PICKLE_LIST,
    PICKLE_TUPLE,
    PICKLE_SET,
    PICKLE_DICT,    /* OrderedDict too */
    PICKLE_GLOBAL,  /* a class or function, by name */
    PICKLE_OBJECT,  /* an instance: class and attributes */
    PICKLE_OPAQUE,  /* a value nobody here needs: a numpy array, a bound method, a huge integer */
    PICKLE_STORAGE, /* a storage record, by key */
    PICKLE_TENSOR
} pickle_kind;

/* ELEMENT(name, bytes, storage class, torch dtype): what a tensor is made of. */
#define PICKLE_ELEMENT_LIST(ELEMENT)                                                               \
    ELEMENT(F64, 8, "DoubleStorage", "float64")                                                    \
    ELEMENT(F32, 4, "FloatStorage", "float32")                                                     \
    ELEMENT(F16, 2, "HalfStorage", "float16")                                                      \
    ELEMENT(BF16, 2, "BFloat16Storage", "bfloat16")                                                \
    ELEMENT(I64, 8, "LongStorage", "int64")                                                        \
    ELEMENT(I32, 4, "IntStorage", "int32")                                                         \
    ELEMENT(I16, 2, "ShortStorage", "int16")                                                       \
    ELEMENT(I8, 1, "CharStorage", "int8")                                                          \
    ELEMENT(U8, 1, "ByteStorage", "uint8")                                                         \
    ELEMENT(BOOL, 1, "BoolStorage", "bool")                                                        \
    ELEMENT(C64, 8, "ComplexFloatStorage", "complex64")                                            \
    ELEMENT(C128, 16, "ComplexDoubleStorage", "complex128")                                        \
    ELEMENT(BYTES, 1, "UntypedStorage", "")

#define PICKLE_ELEMENT_ENUM(name, bytes, storage, dtype) PICKLE_ELEMENT_##name,
typedef enum pickle_element {
    PICKLE_ELEMENT_LIST(PICKLE_ELEMENT_ENUM) PICKLE_ELEMENT_COUNT
} pickle_element;
#undef PICKLE_ELEMENT_ENUM

size_t pickle_element_bytes(pickle_element e);

enum { PICKLE_MAX_RANK = 8 };

typedef struct pickle_storage {
    const char *key; /* names the record data/<key> */
    pickle_element element;
    int64_t n_elements;
} pickle_storage;

/* Element (i0,i1,...) is number offset + sum(i_k*stride[k]) of the storage; all of them exist. */
typedef struct pickle_tensor {
    const pickle_storage *storage;
    pickle_element element; /* the storage's own, unless that is BYTES */
    int64_t offset;
    int rank; /* 0: a scalar */
    int64_t size[PICKLE_MAX_RANK];
    int64_t stride[PICKLE_MAX_RANK];
    int64_t n_elements;
} pickle_tensor;

typedef struct pickle_value pickle_value;

typedef struct pickle_pair {
    pickle_value *key;
    pickle_value *value;
} pickle_pair;

struct pickle_value {
    pickle_kind kind;
    int depth; /* levels below, as far as known when they were put in */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *data; /* NUL-terminated */
            size_t size;
        } text; /* STR, BYTES */
        struct {
            pickle_value **items;
            size_t n;
            size_t cap;
        } list; /* LIST, TUPLE, SET */
        struct {
            pickle_pair *pairs; /* in order of storing; a key may come twice, the later counts */
            size_t n;
            size_t cap;
        } dict;
        struct {
            const char *module;
            const char *name;
        } global;
        struct {
            const pickle_value *type; /* GLOBAL; NULL: unknown */
            pickle_value *args;       /* TUPLE or NULL */
            pickle_value *attributes; /* DICT or NULL */
        } object;                     /* OBJECT, OPAQUE */
        pickle_storage storage;
        pickle_tensor *tensor;
    } as;
};

typedef struct pickle_doc pickle_doc;

typedef struct pickle_limits {
    size_t max_bytes; /* memory of the document; 0: 1 GiB */
    int max_depth;    /* 0: 1000 */
} pickle_limits;

/* Reads one pickle from the beginning of `data`. *used (NULL allowed): its length in bytes. */
PTQ_CHECKED ptq_status pickle_parse(const void *data, size_t size, const pickle_limits *limits,
                                    size_t *used, pickle_doc **out, ptq_error *err);
void pickle_doc_destroy(pickle_doc *d); /* NULL allowed */
const pickle_value *pickle_doc_root(const pickle_doc *d);

/* Queries take NULL and answer "not there". */
const pickle_value *pickle_get(const pickle_value *dict, const char *key);
const pickle_value *pickle_attr(const pickle_value *object, const char *name);
const char *pickle_str(const pickle_value *v);          /* NULL: no string */
bool pickle_int(const pickle_value *v, int64_t *out);   /* INT or BOOL */
bool pickle_double(const pickle_value *v, double *out); /* INT or FLOAT */
bool pickle_bool(const pickle_value *v, bool *out);
bool pickle_is_none(const pickle_value *v); /* also when v is NULL */
/* Items of a list, tuple or set; *n 0 for anything else. */
pickle_value *const *pickle_items(const pickle_value *v, size_t *n);
/* Class of an OBJECT as "module.name" into `text`; "" for anything else. Returns text. */
const char *pickle_class(const pickle_value *v, char text[256]);

#endif
