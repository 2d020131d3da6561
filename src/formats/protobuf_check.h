/* SPDX-License-Identifier: Apache-2.0 */
/* formats/protobuf_check.h — looks at protobuf bytes before protobuf-c does.
 *
 * protobuf-c recurses once per nested message without a limit and says nothing about where a file
 * is broken. This walk allocates nothing, goes `max_depth` messages deep at most, and names the
 * byte and the message. What passes can be unpacked.
 */
#ifndef FORMATS_PROTOBUF_CHECK_H
#define FORMATS_PROTOBUF_CHECK_H

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

/* PTQ_FORMAT: not a message of that type; PTQ_LIMIT: nested too deep. */
PTQ_CHECKED ptq_status protobuf_check(const void *data, size_t size,
                                      const ProtobufCMessageDescriptor *type, int max_depth,
                                      ptq_error *err);

#endif
