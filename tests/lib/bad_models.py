#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes model files with one fault each into a folder: bad_models.py GOOD.pt DIR

Prints a line per file: its name, a tab, and words of which one must be in the message ('|' between
them; empty: any message). The name begins with 'good-' where the file must load.
"""
import os
import random
import re
import struct
import sys
import zipfile

GOOD, DIR = sys.argv[1:3]


def write(name, data, words=""):
    with open(os.path.join(DIR, name), "wb") as f:
        f.write(data)
    print(f"{name}\t{words}")


# ---------------------------------------------------------------- checkpoints
with zipfile.ZipFile(GOOD) as z:
    RECORDS = {n.split("/", 1)[1]: z.read(n) for n in z.namelist()}
PICKLE = RECORDS["data.pkl"]
LONGEST = max((n for n in RECORDS if n.startswith("data/")), key=lambda n: len(RECORDS[n]))


def archive(name, pickle=PICKLE, records=None, words="", root="archive", how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(os.path.join(DIR, name), "w", how) as z:
        z.writestr(f"{root}/data.pkl", pickle)
        for n, data in (RECORDS if records is None else records).items():
            if n != "data.pkl":
                z.writestr(f"{root}/{n}", data)
    print(f"{name}\t{words}")


def lie(name):
    """A packed record that unpacks to more than the directory says."""
    path = os.path.join(DIR, name)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("archive/data.pkl", bytes(64 << 20))
    data = open(path, "rb").read()
    size = struct.pack("<I", 64 << 20)
    write(name, data.replace(size, struct.pack("<I", 100)), "damaged")


def calls(module, function, argument):
    """Opcodes that would call module.function(argument) and drop the answer."""
    text = argument.encode()
    return b"c" + module.encode() + b"\n" + function.encode() + b"\nX" + struct.pack("<I", len(text)) + text + b"\x85R0"


def checkpoints():
    whole = open(GOOD, "rb").read()
    write("empty.pt", b"")
    write("text.pt", b"hello\n" * 100)
    write("truncated.pt", whole[:len(whole) // 2])
    write("directory.pt", whole[:-2000] + bytes(x ^ 0x5A for x in whole[-2000:]))
    touch = "touch " + os.path.join(DIR, "executed")
    for module, function in (("posix", "system"), ("os", "system"), ("builtins", "eval"), ("subprocess", "getoutput"), ("torch", "load")):
        archive(f"call-{module}-{function}.pt", PICKLE[:2] + calls(module, function, touch) + PICKLE[2:], words=function)
    archive("deep.pt", b"\x80\x02" + b"]" * 1000000 + b"a" * 999999 + b".")
    archive("memo.pt", b"\x80\x02}r\xff\xff\xff\x7f.")
    archive("stack.pt", b"\x80\x02" + b"a" * 50 + b".")
    archive("endless.pt", PICKLE[:-1])
    archive("opcode.pt", b"\x80\x02\xff.")
    shape = re.search(rb"\((?:K.|M..){4}t", PICKLE)
    huge = b"(" + b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x3f" * 4 + b"t"
    archive("size.pt", PICKLE[:shape.start()] + huge + PICKLE[shape.end():])
    negative = b"(" + b"J\xff\xff\xff\xff" * 4 + b"t"
    archive("negative.pt", PICKLE[:shape.start()] + negative + PICKLE[shape.end():])
    archive("lost.pt", records={n: d for n, d in RECORDS.items() if n != LONGEST}, words=LONGEST.split("/")[1])
    archive("short.pt", records={**RECORDS, LONGEST: RECORDS[LONGEST][:64]}, words=LONGEST.split("/")[1])
    archive("nan.pt", records={**RECORDS, LONGEST: b"\x00\x7e" * (len(RECORDS[LONGEST]) // 2)}, words="NaN|nan|finite")
    archive("module.pt", PICKLE.replace(b"models.common\nSPPCSPC\n", b"models.common\nSPPCSPQ\n"), words="SPPCSPQ")
    archive("bomb.pt", bytes(257 << 20), records={}, words="limit", how=zipfile.ZIP_DEFLATED)
    lie("bomb-hidden.pt")
    archive("good-root.pt", root="yolo_best")
    archive("good-deflated.pt", how=zipfile.ZIP_DEFLATED)
    rnd = random.Random(5)
    for i in range(8):
        noise = bytearray(PICKLE)
        for _ in range(40):
            noise[rnd.randrange(20, len(noise))] ^= 1 << rnd.randrange(8)
        archive(f"noise-{i}.pt", bytes(noise))


# ---------------------------------------------------------------- ONNX, as protobuf writes it
def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(op, inputs, outputs, name="", domain=""):
    return b"".join([field(1, i) for i in inputs] + [field(2, o) for o in outputs] + [field(3, name or outputs[0]), field(4, op)]
                    + ([field(7, domain)] if domain else []))


def floats(name, dims, data):
    return b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{len(data)}f", *data))


def port(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def onnx(nodes, weights=(), inputs=None, outputs=None):
    graph = b"".join([field(1, n) for n in nodes] + [field(2, "g")] + [field(5, w) for w in weights])
    graph += b"".join(field(11, i) for i in inputs or [port("x", (1, 3, 32, 32))])
    graph += b"".join(field(12, o) for o in outputs or [port("y", (1, 3, 32, 32))])
    return field(1, 7) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def graphs():
    rnd = random.Random(7)
    write("garbage.onnx", bytes(rnd.randrange(256) for _ in range(5000)))
    write("half.onnx", b"\x08\x07\x12\x07pytorch\x3a\xff\xff\xff\x7f" + b"\0" * 40)
    write("good-sigmoid.onnx", onnx([node("Sigmoid", ["x"], ["y"])]))
    write("cyclic.onnx", onnx([node("Add", ["x", "b"], ["a"]), node("Sigmoid", ["a"], ["b"]), node("Relu", ["b"], ["y"])]), "cycl|loop|circle")
    write("twice.onnx", onnx([node("Relu", ["x"], ["y"]), node("Sigmoid", ["x"], ["y"])]), "y")
    write("dangling.onnx", onnx([node("Add", ["x", "nowhere"], ["y"])]), "nowhere")
    write("operators.onnx", onnx([node("Frobnicate", ["x"], ["a"]), node("Quuxify", ["a"], ["y"])]), "Frobnicate")
    conv = node("Conv", ["x", "w"], ["y"])
    write("nan.onnx", onnx([conv], [floats("w", (3, 3, 1, 1), [float("nan")] * 9)]), "NaN|nan|finite")
    write("few.onnx", onnx([conv], [floats("w", (3, 3, 1, 1), [1.0] * 4)]), "w")
    write("vast.onnx", onnx([conv], [floats("w", (1 << 40, 1 << 40, 3, 3), [1.0] * 4)]), "w")
    write("channels.onnx", onnx([conv], [floats("w", (3, 5, 1, 1), [1.0] * 15)]))


checkpoints()
graphs()
