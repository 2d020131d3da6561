#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether two detectors' outputs [1,N,5+nc] agree: agree.py A.npy B.npy

Boxes: cosine of at least 0.9999. Scores: cosine of at least 0.995, no difference above 0.1."""
import array
import math
import re
import struct
import sys


def read(path):
    data = open(path, "rb").read()
    start = 10 if data[6] == 1 else 12
    length = struct.unpack("<H" if data[6] == 1 else "<I", data[8:start])[0]
    header = data[start:start + length].decode("latin1")
    values = array.array("f")
    values.frombytes(data[start + length:])
    dims = [int(d) for d in re.search(r"'shape': \(([^)]*)\)", header).group(1).split(",") if d.strip()]
    assert "'<f4'" in header and len(values) == math.prod(dims), path
    return dims, values


def compare(a, b, columns, n_columns):
    dot = norm_a = norm_b = most = 0.0
    for start in range(0, len(a), n_columns):
        for i in columns:
            x, y = a[start + i], b[start + i]
            dot += x * y
            norm_a += x * x
            norm_b += y * y
            most = max(most, abs(x - y))
    return dot / math.sqrt(norm_a * norm_b), most


def main():
    (dims_a, a), (dims_b, b) = read(sys.argv[1]), read(sys.argv[2])
    if dims_a != dims_b:
        sys.exit(f"shapes differ: {dims_a} and {dims_b}")
    n = dims_a[-1]
    boxes, _ = compare(a, b, range(4), n)
    scores, most = compare(a, b, range(4, n), n)
    print(f"boxes cosine {boxes:.6f}, scores cosine {scores:.6f}, largest difference of a score {most:.4f}")
    sys.exit(0 if boxes >= 0.9999 and scores >= 0.995 and most <= 0.1 else 1)


if __name__ == "__main__":
    main()
