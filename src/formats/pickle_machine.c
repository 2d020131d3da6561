/* SPDX-License-Identifier: Apache-2.0 */
/* The stack machine: one function per opcode. Spec: checkpoint.md §3.1. */
#include "formats/pickle_machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { DEFAULT_MAX_DEPTH = 1000 };
#define DEFAULT_MAX_BYTES ((size_t)1 << 30)

void pickle_fail_at(const pickle_machine *m, ptq_status status, const char *format, ...)
{
    char what[768];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    error_set(m->err, status, "byte %zu: %s", m->op_pos, what);
}

/* ---- stack, marks, memo ---- */

static ptq_status make_room(pickle_machine *m, void **array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return PTQ_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *grown = mem_resize(*array, more, size);
    if (!grown)
        return pickle_no_memory(m);
    *array = grown;
    *cap = more;
    return PTQ_OK;
}

static ptq_status push(pickle_machine *m, pickle_value *v)
{
    void *stack = m->stack;
    ptq_status status = make_room(m, &stack, m->n_stack, &m->cap_stack, sizeof *m->stack);
    m->stack = stack;
    if (status == PTQ_OK)
        m->stack[m->n_stack++] = v;
    return status;
}

/* Values above the last mark. */
static size_t height(const pickle_machine *m)
{
    return m->n_stack - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

static ptq_status need_values(const pickle_machine *m, size_t n)
{
    if (height(m) < n)
        return pickle_fail(m, PTQ_FORMAT, "the stack has too few values");
    return PTQ_OK;
}

static pickle_value *pop(pickle_machine *m)
{
    return m->stack[--m->n_stack];
}

static pickle_value *top(const pickle_machine *m)
{
    return m->stack[m->n_stack - 1];
}

/* Takes the last mark off: items[0..n) are the values above it, valid until the next push. */
static ptq_status pop_mark(pickle_machine *m, pickle_value ***items, size_t *n)
{
    if (m->n_marks == 0)
        return pickle_fail(m, PTQ_FORMAT, "a mark is missing");
    *n = height(m);
    m->n_stack -= *n;
    m->n_marks--;
    *items = m->stack ? m->stack + m->n_stack : NULL;
    return PTQ_OK;
}

/* A memo index can be no larger than the number of opcodes before it: writers count up by one. */
static ptq_status remember(pickle_machine *m, uint64_t index)
{
    PTQ_TRY(need_values(m, 1));
    if (index > m->n_ops)
        return pickle_fail(m, PTQ_LIMIT, "memo index %llu is out of all proportion",
                           (unsigned long long)index);
    if (index >= m->cap_memo) {
        size_t cap = m->cap_memo ? m->cap_memo : 256;
        while (cap <= index)
            cap *= 2;
        pickle_value **memo = mem_resize(m->memo, cap, sizeof(pickle_value *));
        if (!memo)
            return pickle_no_memory(m);
        memset(memo + m->cap_memo, 0, (cap - m->cap_memo) * sizeof(pickle_value *));
        m->memo = memo;
        m->cap_memo = cap;
    }
    m->n_memo += m->memo[index] == NULL;
    m->memo[index] = top(m);
    return PTQ_OK;
}

static ptq_status recall(pickle_machine *m, uint64_t index)
{
    if (index >= m->cap_memo || !m->memo[index])
        return pickle_fail(m, PTQ_FORMAT, "memo %llu was never stored", (unsigned long long)index);
    return push(m, m->memo[index]);
}

/* ---- operands ---- */

static ptq_status take(pickle_machine *m, uint64_t n, const unsigned char **bytes)
{
    if (n > m->size - m->pos)
        return pickle_fail(m, PTQ_FORMAT, "it ends in the middle of an operand");
    *bytes = m->data + m->pos;
    m->pos += (size_t)n;
    return PTQ_OK;
}

/* Little-endian, 1 to 8 bytes. */
static ptq_status take_number(pickle_machine *m, size_t n, uint64_t *value)
{
    const unsigned char *p = NULL;
    PTQ_TRY(take(m, n, &p));
    *value = 0;
    for (size_t i = n; i-- > 0;)
        *value = *value << 8 | p[i];
    return PTQ_OK;
}

static ptq_status take_line(pickle_machine *m, char line[256])
{
    const unsigned char *start = m->data + m->pos;
    const unsigned char *end = memchr(start, '\n', m->size - m->pos);
    size_t n = end ? (size_t)(end - start) : 256;
    if (n > 255 || memchr(start, '\0', n))
        return pickle_fail(m, PTQ_FORMAT, "a name without an end");
    memcpy(line, start, n);
    line[n] = '\0';
    m->pos += n + 1;
    return PTQ_OK;
}

static ptq_status push_int(pickle_machine *m, int64_t value)
{
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, PICKLE_INT, &v));
    v->as.integer = value;
    return push(m, v);
}

static ptq_status push_kind(pickle_machine *m, pickle_kind kind)
{
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new(m, kind, &v));
    return push(m, v);
}

/* A text whose length has `n_length` bytes. */
static ptq_status push_text(pickle_machine *m, pickle_kind kind, size_t n_length)
{
    uint64_t size = 0;
    const unsigned char *bytes = NULL;
    PTQ_TRY(take_number(m, n_length, &size));
    PTQ_TRY(take(m, size, &bytes));
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new_text(m, kind, bytes, (size_t)size, &v));
    return push(m, v);
}

/* ---- opcodes ---- */

static ptq_status op_proto(pickle_machine *m)
{
    uint64_t version;
    PTQ_TRY(take_number(m, 1, &version));
    if (version < 2 || version > 5)
        return pickle_fail(m, PTQ_UNSUPPORTED, "pickle protocol %d", (int)version);
    return PTQ_OK;
}

static ptq_status op_frame(pickle_machine *m)
{
    const unsigned char *length;
    return take(m, 8, &length);
}

static ptq_status op_stop(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 1));
    m->result = pop(m);
    return PTQ_OK;
}

static ptq_status op_mark(pickle_machine *m)
{
    void *marks = m->marks;
    ptq_status status = make_room(m, &marks, m->n_marks, &m->cap_marks, sizeof *m->marks);
    m->marks = marks;
    if (status == PTQ_OK)
        m->marks[m->n_marks++] = m->n_stack;
    return status;
}

static ptq_status op_pop(pickle_machine *m)
{
    if (height(m) == 0 && m->n_marks > 0) {
        m->n_marks--;
        return PTQ_OK;
    }
    PTQ_TRY(need_values(m, 1));
    m->n_stack--;
    return PTQ_OK;
}

static ptq_status op_pop_mark(pickle_machine *m)
{
    pickle_value **items = NULL;
    size_t n = 0;
    return pop_mark(m, &items, &n);
}

static ptq_status op_dup(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 1));
    return push(m, top(m));
}

static ptq_status op_none(pickle_machine *m)
{
    return push_kind(m, PICKLE_NONE);
}

static ptq_status op_true(pickle_machine *m)
{
    PTQ_TRY(push_kind(m, PICKLE_BOOL));
    top(m)->as.boolean = true;
    return PTQ_OK;
}

static ptq_status op_false(pickle_machine *m)
{
    return push_kind(m, PICKLE_BOOL);
}

static ptq_status op_binint(pickle_machine *m)
{
    uint64_t value;
    PTQ_TRY(take_number(m, 4, &value));
    return push_int(m, (int32_t)(uint32_t)value);
}

static ptq_status op_binint1(pickle_machine *m)
{
    uint64_t value;
    PTQ_TRY(take_number(m, 1, &value));
    return push_int(m, (int64_t)value);
}

static ptq_status op_binint2(pickle_machine *m)
{
    uint64_t value;
    PTQ_TRY(take_number(m, 2, &value));
    return push_int(m, (int64_t)value);
}

/* Two's complement of `size` bytes; more than 64 bits are kept as an opaque value. */
static ptq_status push_long(pickle_machine *m, uint64_t size)
{
    const unsigned char *p = NULL;
    PTQ_TRY(take(m, size, &p));
    if (size > 8)
        return push_kind(m, PICKLE_OPAQUE);
    uint64_t value = size > 0 && p[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = (size_t)size; i-- > 0;)
        value = value << 8 | p[i];
    return push_int(m, (int64_t)value);
}

static ptq_status op_long1(pickle_machine *m)
{
    uint64_t size = 0;
    PTQ_TRY(take_number(m, 1, &size));
    return push_long(m, size);
}

static ptq_status op_long4(pickle_machine *m)
{
    uint64_t size = 0;
    PTQ_TRY(take_number(m, 4, &size));
    return push_long(m, size);
}

/* Big-endian, unlike everything else. */
static ptq_status op_binfloat(pickle_machine *m)
{
    const unsigned char *p = NULL;
    PTQ_TRY(take(m, 8, &p));
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    PTQ_TRY(push_kind(m, PICKLE_FLOAT));
    memcpy(&top(m)->as.number, &bits, sizeof bits);
    return PTQ_OK;
}

static ptq_status op_unicode1(pickle_machine *m)
{
    return push_text(m, PICKLE_STR, 1);
}

static ptq_status op_unicode4(pickle_machine *m)
{
    return push_text(m, PICKLE_STR, 4);
}

static ptq_status op_unicode8(pickle_machine *m)
{
    return push_text(m, PICKLE_STR, 8);
}

static ptq_status op_bytes1(pickle_machine *m)
{
    return push_text(m, PICKLE_BYTES, 1);
}

static ptq_status op_bytes4(pickle_machine *m)
{
    return push_text(m, PICKLE_BYTES, 4);
}

static ptq_status op_bytes8(pickle_machine *m)
{
    return push_text(m, PICKLE_BYTES, 8);
}

static ptq_status op_empty_dict(pickle_machine *m)
{
    return push_kind(m, PICKLE_DICT);
}

static ptq_status op_empty_list(pickle_machine *m)
{
    return push_kind(m, PICKLE_LIST);
}

static ptq_status op_empty_tuple(pickle_machine *m)
{
    return push_kind(m, PICKLE_TUPLE);
}

static ptq_status op_empty_set(pickle_machine *m)
{
    return push_kind(m, PICKLE_SET);
}

/* Replaces the top n values by one. */
static ptq_status push_collection(pickle_machine *m, pickle_kind kind, size_t n)
{
    PTQ_TRY(need_values(m, n));
    pickle_value *v = NULL;
    PTQ_TRY(pickle_new_list(m, kind, m->stack + m->n_stack - n, n, &v));
    m->n_stack -= n;
    return push(m, v);
}

static ptq_status op_tuple(pickle_machine *m)
{
    pickle_value **items = NULL, *v = NULL;
    size_t n = 0;
    PTQ_TRY(pop_mark(m, &items, &n));
    PTQ_TRY(pickle_new_list(m, PICKLE_TUPLE, items, n, &v));
    return push(m, v);
}

static ptq_status op_tuple1(pickle_machine *m)
{
    return push_collection(m, PICKLE_TUPLE, 1);
}

static ptq_status op_tuple2(pickle_machine *m)
{
    return push_collection(m, PICKLE_TUPLE, 2);
}

static ptq_status op_tuple3(pickle_machine *m)
{
    return push_collection(m, PICKLE_TUPLE, 3);
}

static ptq_status op_frozenset(pickle_machine *m)
{
    pickle_value **items = NULL, *v = NULL;
    size_t n = 0;
    PTQ_TRY(pop_mark(m, &items, &n));
    PTQ_TRY(pickle_new_list(m, PICKLE_SET, items, n, &v));
    return push(m, v);
}

static ptq_status need_top(const pickle_machine *m, pickle_kind kind, const char *what)
{
    PTQ_TRY(need_values(m, 1));
    if (top(m)->kind != kind)
        return pickle_fail(m, PTQ_FORMAT, "something is put into a value that is no %s", what);
    return PTQ_OK;
}

static ptq_status op_append(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 2));
    pickle_value *item = pop(m);
    PTQ_TRY(need_top(m, PICKLE_LIST, "list"));
    return pickle_append(m, top(m), item);
}

static ptq_status append_marked(pickle_machine *m, pickle_kind kind, const char *what)
{
    pickle_value **items = NULL;
    size_t n = 0;
    PTQ_TRY(pop_mark(m, &items, &n));
    PTQ_TRY(need_top(m, kind, what));
    for (size_t i = 0; i < n; i++)
        PTQ_TRY(pickle_append(m, top(m), items[i]));
    return PTQ_OK;
}

static ptq_status op_appends(pickle_machine *m)
{
    return append_marked(m, PICKLE_LIST, "list");
}

static ptq_status op_additems(pickle_machine *m)
{
    return append_marked(m, PICKLE_SET, "set");
}

static ptq_status op_setitem(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 3));
    pickle_value *value = pop(m);
    pickle_value *key = pop(m);
    PTQ_TRY(need_top(m, PICKLE_DICT, "dictionary"));
    return pickle_store(m, top(m), key, value);
}

static ptq_status op_setitems(pickle_machine *m)
{
    pickle_value **items = NULL;
    size_t n = 0;
    PTQ_TRY(pop_mark(m, &items, &n));
    PTQ_TRY(need_top(m, PICKLE_DICT, "dictionary"));
    if (n % 2)
        return pickle_fail(m, PTQ_FORMAT, "a key without a value");
    for (size_t i = 0; i < n; i += 2)
        PTQ_TRY(pickle_store(m, top(m), items[i], items[i + 1]));
    return PTQ_OK;
}

static ptq_status op_binput(pickle_machine *m)
{
    uint64_t index;
    PTQ_TRY(take_number(m, 1, &index));
    return remember(m, index);
}

static ptq_status op_long_binput(pickle_machine *m)
{
    uint64_t index;
    PTQ_TRY(take_number(m, 4, &index));
    return remember(m, index);
}

static ptq_status op_memoize(pickle_machine *m)
{
    return remember(m, m->n_memo);
}

static ptq_status op_binget(pickle_machine *m)
{
    uint64_t index;
    PTQ_TRY(take_number(m, 1, &index));
    return recall(m, index);
}

static ptq_status op_long_binget(pickle_machine *m)
{
    uint64_t index;
    PTQ_TRY(take_number(m, 4, &index));
    return recall(m, index);
}

static ptq_status op_global(pickle_machine *m)
{
    char module[256], name[256];
    PTQ_TRY(take_line(m, module));
    PTQ_TRY(take_line(m, name));
    pickle_value *v = NULL;
    PTQ_TRY(pickle_global(m, module, name, &v));
    return push(m, v);
}

static ptq_status op_stack_global(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 2));
    const char *name = pickle_str(pop(m));
    const char *module = pickle_str(pop(m));
    if (!name || !module)
        return pickle_fail(m, PTQ_FORMAT, "a name that is not a text");
    pickle_value *v = NULL;
    PTQ_TRY(pickle_global(m, module, name, &v));
    return push(m, v);
}

static ptq_status op_reduce(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 2));
    pickle_value *args = pop(m), *callee = pop(m), *v = NULL;
    PTQ_TRY(pickle_reduce(m, callee, args, &v));
    return push(m, v);
}

static ptq_status op_newobj(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 2));
    pickle_value *args = pop(m), *type = pop(m), *v = NULL;
    PTQ_TRY(pickle_new_object(m, type, args, &v));
    return push(m, v);
}

static ptq_status op_newobj_ex(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 3));
    m->n_stack--; /* keyword arguments: no class of ours has them */
    return op_newobj(m);
}

static ptq_status op_build(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 2));
    pickle_value *state = pop(m);
    return pickle_build(m, top(m), state);
}

static ptq_status op_binpersid(pickle_machine *m)
{
    PTQ_TRY(need_values(m, 1));
    pickle_value *id = pop(m), *v = NULL;
    PTQ_TRY(pickle_persistent(m, id, &v));
    return push(m, v);
}

static ptq_status (*const OPCODES[256])(pickle_machine *m) = {
    [0x80] = op_proto,        [0x95] = op_frame,     ['.'] = op_stop,        ['('] = op_mark,
    ['0'] = op_pop,           ['1'] = op_pop_mark,   ['2'] = op_dup,         ['N'] = op_none,
    [0x88] = op_true,         [0x89] = op_false,     ['J'] = op_binint,      ['K'] = op_binint1,
    ['M'] = op_binint2,       [0x8a] = op_long1,     [0x8b] = op_long4,      ['G'] = op_binfloat,
    ['X'] = op_unicode4,      [0x8c] = op_unicode1,  [0x8d] = op_unicode8,   ['U'] = op_unicode1,
    ['T'] = op_unicode4,      ['C'] = op_bytes1,     ['B'] = op_bytes4,      [0x8e] = op_bytes8,
    ['}'] = op_empty_dict,    [']'] = op_empty_list, [')'] = op_empty_tuple, [0x8f] = op_empty_set,
    ['t'] = op_tuple,         [0x85] = op_tuple1,    [0x86] = op_tuple2,     [0x87] = op_tuple3,
    [0x91] = op_frozenset,    ['a'] = op_append,     ['e'] = op_appends,     [0x90] = op_additems,
    ['s'] = op_setitem,       ['u'] = op_setitems,   ['q'] = op_binput,      ['r'] = op_long_binput,
    [0x94] = op_memoize,      ['h'] = op_binget,     ['j'] = op_long_binget, ['c'] = op_global,
    [0x93] = op_stack_global, ['R'] = op_reduce,     [0x81] = op_newobj,     [0x92] = op_newobj_ex,
    ['b'] = op_build,         ['Q'] = op_binpersid,
};

static ptq_status run(pickle_machine *m)
{
    while (!m->result) {
        m->op_pos = m->pos;
        if (m->pos == m->size)
            return pickle_fail(m, PTQ_FORMAT, "it ends without a result");
        unsigned char op = m->data[m->pos++];
        if (!OPCODES[op])
            return pickle_fail(m, PTQ_FORMAT, "opcode 0x%02x is not one of a checkpoint", op);
        PTQ_TRY(OPCODES[op](m));
        m->n_ops++;
    }
    return PTQ_OK;
}

ptq_status pickle_parse(const void *data, size_t size, const pickle_limits *limits, size_t *used,
                        pickle_doc **out, ptq_error *err)
{
    pickle_machine m = {.data = data, .size = size, .max_depth = DEFAULT_MAX_DEPTH, .err = err};
    m.max_bytes = DEFAULT_MAX_BYTES;
    if (limits && limits->max_depth)
        m.max_depth = limits->max_depth;
    if (limits && limits->max_bytes)
        m.max_bytes = limits->max_bytes;
    pickle_doc *doc = mem_zalloc(sizeof *doc);
    if (doc)
        doc->arena = m.arena = arena_create(m.max_bytes);
    if (!doc || !doc->arena) {
        pickle_doc_destroy(doc);
        return error_no_memory(err, sizeof *doc, "a pickle");
    }
    ptq_status status = run(&m);
    mem_free(m.stack);
    mem_free(m.marks);
    mem_free(m.memo);
    if (status != PTQ_OK) {
        pickle_doc_destroy(doc);
        return status;
    }
    doc->root = m.result;
    if (used)
        *used = m.pos;
    *out = doc;
    return PTQ_OK;
}

void pickle_doc_destroy(pickle_doc *d)
{
    if (!d)
        return;
    arena_destroy(d->arena);
    mem_free(d);
}
