/* SPDX-License-Identifier: Apache-2.0 */
/* base/dtype.h — the element types of tensors, shared by the graph and the kernels. */
#ifndef BASE_DTYPE_H
#define BASE_DTYPE_H

/* DTYPE(name, bytes, ONNX TensorProto.DataType, numpy descr) */
#define DTYPE_LIST(DTYPE)                                                                          \
    DTYPE(F32, 4, 1, "<f4")                                                                        \
    DTYPE(U8, 1, 2, "|u1")                                                                         \
    DTYPE(I8, 1, 3, "|i1")                                                                         \
    DTYPE(U16, 2, 4, "<u2")                                                                        \
    DTYPE(I16, 2, 5, "<i2")                                                                        \
    DTYPE(I32, 4, 6, "<i4")                                                                        \
    DTYPE(I64, 8, 7, "<i8")                                                                        \
    DTYPE(BOOL, 1, 9, "|b1")                                                                       \
    DTYPE(F16, 2, 10, "<f2")                                                                       \
    DTYPE(F64, 8, 11, "<f8")                                                                       \
    DTYPE(U32, 4, 12, "<u4")                                                                       \
    DTYPE(U64, 8, 13, "<u8")                                                                       \
    DTYPE(BF16, 2, 16, NULL)

#define DTYPE_ENUM(name, bytes, onnx, numpy) DTYPE_##name,
typedef enum dtype { DTYPE_LIST(DTYPE_ENUM) DTYPE_COUNT } dtype;
#undef DTYPE_ENUM

#endif
