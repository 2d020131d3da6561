#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files, with nothing but the wire format of protobuf.

    small_onnx.py classifier F.onnx    two convolutions and a Gemm, [1,3,64,64] -> [1,10]
    small_onnx.py dynamic F.onnx       its Reshape computes from the shape of an open input
    small_onnx.py static F.onnx        the same for [1,3,64,64], the shape written down"""
import struct
import sys


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n & (1 << 64) - 1)


def text(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


class Noise:
    state = 1

    def floats(self, n, scale):
        out = []
        for _ in range(n):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            out.append((self.state / 2**31 - 1) * scale)
        return out


def tensor(name, dims, values, is_int=False):
    raw = struct.pack(f"<{len(values)}{'q' if is_int else 'f'}", *values)
    return b"".join(number(1, d) for d in dims) + number(2, 7 if is_int else 1) + text(8, name) + text(9, raw)


def attribute(name, value):
    if isinstance(value, int):
        return text(1, name) + number(3, value) + number(20, 2)
    return text(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)


def node(op, inputs, output, **attributes):
    return (b"".join(text(1, i) for i in inputs) + text(2, output) + text(3, output) + text(4, op) +
            b"".join(text(5, attribute(k, v)) for k, v in attributes.items()))


def port(name, dims):
    shape = b"".join(text(1, number(1, d) if isinstance(d, int) else text(2, d)) for d in dims)
    return text(1, name) + text(2, text(1, number(1, 1) + text(2, shape)))


def write(path, nodes, constants, inputs, outputs):
    graph = (b"".join(text(1, n) for n in nodes) + text(2, "small") + b"".join(text(5, c) for c in constants) +
             b"".join(text(11, p) for p in inputs) + b"".join(text(12, p) for p in outputs))
    with open(path, "wb") as f:
        f.write(number(1, 8) + text(7, graph) + text(8, number(2, 13)))


def conv(name, x, y, **more):
    return node("Conv", [x, name + ".weight", name + ".bias"], y, kernel_shape=[3, 3], strides=[2, 2],
                pads=[1, 1, 1, 1], **more)


def conv_constants(noise, name, cin, cout):
    scale = (3 / (9 * cin)) ** 0.5
    return [tensor(name + ".weight", [cout, cin, 3, 3], noise.floats(9 * cin * cout, scale)),
            tensor(name + ".bias", [cout], noise.floats(cout, 0.1))]


def classifier(path):
    noise = Noise()
    constants = conv_constants(noise, "features.0", 3, 16) + conv_constants(noise, "features.1", 16, 32)
    constants += [tensor("head.weight", [10, 32], noise.floats(320, 0.5)), tensor("head.bias", [10], [0.0] * 10)]
    nodes = [conv("features.0", "images", "a"), node("Relu", ["a"], "b"), conv("features.1", "b", "c"),
             node("Relu", ["c"], "d"), node("GlobalAveragePool", ["d"], "e"), node("Flatten", ["e"], "f", axis=1),
             node("Gemm", ["f", "head.weight", "head.bias"], "scores", transB=1)]
    write(path, nodes, constants, [port("images", [1, 3, 64, 64])], [port("scores", [1, 10])])


def reshaped(path, is_open):
    noise = Noise()
    constants = conv_constants(noise, "features.0", 3, 8) + [
        tensor("i0", [], [0], True), tensor("i2", [], [2], True), tensor("i3", [], [3], True),
        tensor("front", [1], [0], True), tensor("eight", [1], [8], True)]
    nodes = [conv("features.0", "images", "a")]
    if is_open:
        nodes += [node("Shape", ["a"], "s")]
        nodes += [node("Gather", ["s", i], "g" + i, axis=0) for i in ("i0", "i2", "i3")]
        nodes += [node("Mul", ["gi2", "gi3"], "area"), node("Unsqueeze", ["gi0", "front"], "n"),
                  node("Unsqueeze", ["area", "front"], "m"), node("Concat", ["n", "eight", "m"], "target", axis=0)]
    else:
        constants += [tensor("target", [3], [1, 8, 1024], True)]
    nodes += [node("Reshape", ["a", "target"], "r"), node("Transpose", ["r"], "rows", perm=[0, 2, 1])]
    dims = ["batch", 3, "height", "width"] if is_open else [1, 3, 64, 64]
    write(path, nodes, constants, [port("images", dims)],
          [port("rows", ["batch", "n", 8] if is_open else [1, 1024, 8])])


def main(kind, path):
    if kind == "classifier":
        classifier(path)
    else:
        reshaped(path, kind == "dynamic")


if __name__ == "__main__":
    main(*sys.argv[1:])
