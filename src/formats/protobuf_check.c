/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format: a message is a sequence of (key, value); key = field number * 8 + wire type, a
 * varint. Wire types: 0 varint, 1 eight bytes, 2 length and that many bytes, 5 four bytes. */
#include "formats/protobuf_check.h"

#include <inttypes.h>
#include <stdbool.h>

typedef struct walk {
    const uint8_t *data;
    size_t at;
    int max_depth;
    ptq_error *err;
} walk;

static ptq_status broken(const walk *w, const ProtobufCMessageDescriptor *type, size_t at,
                         const char *what)
{
    return error_set(w->err, PTQ_FORMAT, "%s at byte %zu, inside a %s", what, at, type->short_name);
}

static bool read_varint(walk *w, size_t end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && w->at < end; shift += 7) {
        uint8_t byte = w->data[w->at++];
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *type,
                                                uint64_t number)
{
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].id == number)
            return &type->fields[i];
    return NULL;
}

static int wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 5;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

/* Repeated numbers may come one by one or packed into one run of bytes. */
static bool wire_fits(const ProtobufCFieldDescriptor *field, int wire)
{
    int plain = wire_of(field->type);
    return wire == plain || (field->label == PROTOBUF_C_LABEL_REPEATED && plain != 2 && wire == 2);
}

static bool packed_fits(walk *w, const ProtobufCFieldDescriptor *field, size_t end)
{
    int wire = wire_of(field->type);
    size_t size = end - w->at;
    uint64_t ignored;
    bool good = true;
    if (wire == 5)
        good = size % 4 == 0;
    else if (wire == 1)
        good = size % 8 == 0;
    else
        while (good && w->at < end)
            good = read_varint(w, end, &ignored);
    w->at = end;
    return good;
}

static ptq_status walk_message(walk *w, const ProtobufCMessageDescriptor *type, size_t end,
                               int depth);

static ptq_status walk_bytes(walk *w, const ProtobufCMessageDescriptor *type,
                             const ProtobufCFieldDescriptor *field, size_t end, int depth)
{
    size_t start = w->at;
    uint64_t length;
    if (!read_varint(w, end, &length) || length > end - w->at)
        return broken(w, type, start, "a field is longer than what holds it");
    size_t stop = w->at + (size_t)length;
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
        return walk_message(w, field->descriptor, stop, depth + 1);
    if (field && wire_of(field->type) != 2 && !packed_fits(w, field, stop))
        return broken(w, type, start, "a list of numbers ends in the middle of one");
    w->at = stop;
    return PTQ_OK;
}

static ptq_status walk_message(walk *w, const ProtobufCMessageDescriptor *type, size_t end,
                               int depth)
{
    if (depth > w->max_depth)
        return error_set(w->err, PTQ_LIMIT, "messages are nested more than %d deep at byte %zu",
                         w->max_depth, w->at);
    while (w->at < end) {
        size_t start = w->at;
        uint64_t key, ignored;
        if (!read_varint(w, end, &key) || key >> 3 == 0 || key >> 3 > (1u << 29) - 1)
            return broken(w, type, start, "no field begins");
        int wire = (int)(key & 7);
        const ProtobufCFieldDescriptor *field = field_of(type, key >> 3);
        if (field && !wire_fits(field, wire))
            return broken(w, type, start, "a field has the wrong wire type");
        if (wire == 2) {
            PTQ_TRY(walk_bytes(w, type, field, end, depth));
        } else if (wire == 0) {
            if (!read_varint(w, end, &ignored))
                return broken(w, type, start, "a number does not end");
        } else if (wire == 1 || wire == 5) {
            size_t size = wire == 1 ? 8 : 4;
            if (end - w->at < size)
                return broken(w, type, start, "a number is cut off");
            w->at += size;
        } else {
            return broken(w, type, start, "an unknown wire type");
        }
    }
    return PTQ_OK;
}

ptq_status protobuf_check(const void *data, size_t size, const ProtobufCMessageDescriptor *type,
                          int max_depth, ptq_error *err)
{
    walk w = {.data = data, .max_depth = max_depth, .err = err};
    return walk_message(&w, type, size, 1);
}
