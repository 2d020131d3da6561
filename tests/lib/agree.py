#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether two runs of one detector agree.

    agree.py decoded A.npy B.npy [MOST]   outputs [n,rows,5+classes]: cosine of boxes of at least 0.9999, of
                                          scores of 0.995, no score further apart than MOST (0.1)
    agree.py raw A.npy B.npy              logits: cosine of at least 0.999
    agree.py nms A.npy B.npy              detections [n,7]: of those above 0.4 each has its like above 0.2
                                          in the other: image, class, boxes that overlap by half
    agree.py stack OUT.npy A.npy...       pictures, one after the other, in one array"""
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


def write(path, dims, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(dims)}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes())


def stack(path, parts):
    arrays = [read(p) for p in parts]
    values = array.array("f")
    for _, v in arrays:
        values.extend(v)
    write(path, [sum(d[0] for d, _ in arrays)] + arrays[0][0][1:], values)


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


def agree_decoded(a, b, n, most_wanted):
    boxes, _ = compare(a, b, range(4), n)
    scores, most = compare(a, b, range(4, n), n)
    print(f"boxes cosine {boxes:.6f}, scores cosine {scores:.6f}, largest difference of a score {most:.4f}")
    return boxes >= 0.9999 and scores >= 0.995 and most <= most_wanted


def agree_raw(a, b, n):
    cosine, _ = compare(a, b, range(n), n)
    print(f"cosine {cosine:.6f}")
    return cosine >= 0.999


def overlap(a, b):
    width = min(a[3], b[3]) - max(a[1], b[1])
    height = min(a[4], b[4]) - max(a[2], b[2])
    both = max(width, 0) * max(height, 0)
    area = sum((r[3] - r[1]) * (r[4] - r[2]) for r in (a, b))
    return both / (area - both)


def agree_nms(a, b):
    rows = [[tuple(v[i:i + 7]) for i in range(0, len(v), 7)] for v in (a, b)]
    alone = [r for own, other in (rows, rows[::-1]) for r in own if r[6] > 0.4
             if not any(o[0] == r[0] and o[5] == r[5] and o[6] > 0.2 and overlap(o, r) > 0.5 for o in other)]
    sure = sum(r[6] > 0.4 for r in rows[0])
    print(f"{len(rows[0])} and {len(rows[1])} detections, {sure} above 0.4, without their like: {alone}")
    return sure > 0 and not alone


def main():
    mode, paths = sys.argv[1], sys.argv[2:]
    if mode == "stack":
        stack(paths[0], paths[1:])
        return
    (dims_a, a), (dims_b, b) = read(paths[0]), read(paths[1])
    if (dims_a if mode != "nms" else dims_a[1:]) != (dims_b if mode != "nms" else dims_b[1:]):
        sys.exit(f"shapes differ: {dims_a} and {dims_b}")
    if mode == "nms":
        good = agree_nms(a, b)
    elif mode == "raw":
        good = agree_raw(a, b, dims_a[-1])
    else:
        good = agree_decoded(a, b, dims_a[-1], float(paths[2]) if len(paths) > 2 else 0.1)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
