#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is in an ONNX file, with nothing but the wire format of protobuf.

    onnx_graph.py same A.onnx B.onnx       the graphs are equal, byte for byte (metadata may differ)
    onnx_graph.py target NAME FILE.onnx    the quantizers are what the target wants (docs/targets.md)
    onnx_graph.py kept NAME FILE.onnx N    N convolutions are quantized; the others are float, for tensorrt11
                                           float16 without Casts around them

Where Debian's python3-onnx is there, `target` also runs onnx.checker, if it knows the opset."""
import struct
import subprocess
import sys

FLOAT, UINT8, INT8, INT32, FLOAT16 = 1, 2, 3, 6, 10


def varint(data, i):
    value = shift = 0
    while True:
        byte = data[i]
        i += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, i


def fields(data):
    i = 0
    while i < len(data):
        key, i = varint(data, i)
        if key & 7 == 0:
            value, i = varint(data, i)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, i = varint(data, i)
            value = data[i:i + size]
            i += size
        yield key >> 3, value


def all_of(data, number):
    return [value for key, value in fields(data) if key == number]


def text_of(data, number):
    values = all_of(data, number)
    return values[0].decode() if values else ""


def graph_bytes(path):
    return all_of(open(path, "rb").read(), 7)[0]


class Constant:
    def __init__(self, data):
        self.name = text_of(data, 8)
        self.dims = [d for d in all_of(data, 1)]
        self.type = all_of(data, 2)[0]
        self.raw = (all_of(data, 9) or [b""])[0]

    def floats(self):
        form = {FLOAT: "f", FLOAT16: "e"}[self.type]
        return struct.unpack(f"<{len(self.raw) // struct.calcsize(form)}{form}", self.raw)


class Node:
    def __init__(self, data):
        self.inputs = [v.decode() for v in all_of(data, 1)]
        self.outputs = [v.decode() for v in all_of(data, 2)]
        self.op = text_of(data, 4)
        self.attributes = {text_of(a, 1): a for a in all_of(data, 5)}


class File:
    def __init__(self, path):
        model = open(path, "rb").read()
        graph = all_of(model, 7)[0]
        self.opset = next((v for k, v in fields(all_of(model, 8)[0]) if k == 2), 0)
        self.nodes = [Node(n) for n in all_of(graph, 1)]
        self.constants = {c.name: c for c in map(Constant, all_of(graph, 5))}
        self.makers = {y: n for n in self.nodes for y in n.outputs}


def require(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


def check_quantizer(file, node, target):
    scale, zero = file.constants[node.inputs[1]], file.constants.get((node.inputs + ["", ""])[2])
    require(scale.type == (FLOAT16 if target == "tensorrt11" else FLOAT), f"type of {scale.name}")
    require(all(s > 0 for s in scale.floats()), f"{scale.name} is above zero")
    if target == "tensorrt11":
        require(all(s >= 2 ** -14 for s in scale.floats()), f"{scale.name} is a normal number")
    if target.startswith("tensorrt"):
        require(zero and zero.type == INT8 and not any(zero.raw), f"{node.outputs[0]} has int8 zeros")
    if scale.dims and scale.dims != [1]:
        require("axis" in node.attributes, f"{node.outputs[0]} has scales per channel and an axis")
        require(node.op == "DequantizeLinear" and node.inputs[0] in file.constants,
                f"{node.outputs[0]} is a constant's")


def check_conv(file, node, target):
    data, weight = (file.makers.get(x) for x in node.inputs[:2])
    if not data or data.op != "DequantizeLinear" or not weight:
        return 0
    require(weight.op == "DequantizeLinear", f"weight of {node.outputs[0]}")
    require(file.constants[weight.inputs[0]].type == INT8, f"weight of {node.outputs[0]} is int8")
    if target == "onnxruntime":
        bias = file.makers.get(node.inputs[2])
        require(bias and file.constants[bias.inputs[0]].type == INT32, f"bias of {node.outputs[0]}")
        readers = [n.op for n in file.nodes if node.outputs[0] in n.inputs]
        require(readers == ["QuantizeLinear"], f"{node.outputs[0]} becomes codes at once")
    return 1


def check_target(target, path):
    file = File(path)
    require(file.opset == (19 if target == "tensorrt11" else 13), "opset")
    quantizers = [n for n in file.nodes if n.op in ("QuantizeLinear", "DequantizeLinear")]
    for node in quantizers:
        check_quantizer(file, node, target)
    n = sum(check_conv(file, node, target) for node in file.nodes if node.op == "Conv")
    floats = sum(node.op == "Conv" for node in file.nodes) - n
    require(n > 10 and floats <= 4, f"{n} quantized convolutions, {floats} float ones")
    half = sum(c.type == FLOAT16 for c in file.constants.values())
    require((half > 0) == (target == "tensorrt11"), "float16 constants")
    check = "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)"
    known = subprocess.run(["/usr/bin/python3", "-c", "import onnx; print(onnx.defs.onnx_opset_version())"],
                           capture_output=True, text=True, check=False)
    if known.returncode != 0 or int(known.stdout) < file.opset:
        print(f"SKIPPED: no onnx.checker for opset {file.opset}")
    else:
        checked = subprocess.run(["/usr/bin/python3", "-c", check, path], capture_output=True, text=True,
                                 check=False)
        require(checked.returncode == 0, "onnx.checker: " + checked.stderr[-300:])


def check_kept(target, path, wanted):
    file = File(path)
    convs = [n for n in file.nodes if n.op == "Conv"]
    n = sum(check_conv(file, node, target) for node in convs)
    require(n == wanted, f"{wanted} quantized convolutions ({n})")
    want = FLOAT16 if target == "tensorrt11" else FLOAT
    for node in convs:
        types = {file.constants[x].type for x in node.inputs[1:] if x in file.constants}
        require(types <= {want}, f"weight and bias of {node.outputs[0]}: {types}")
    # for tensorrt11 behind the input and in front of the decode of each level
    casts = sum(node.op == "Cast" for node in file.nodes)
    require(casts == (4 if target == "tensorrt11" else 0), f"{casts} Casts")


def main():
    if sys.argv[1] == "same":
        require(graph_bytes(sys.argv[2]) == graph_bytes(sys.argv[3]), "the graphs are equal")
    elif sys.argv[1] == "kept":
        check_kept(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        check_target(sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    main()
