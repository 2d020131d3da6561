#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the arrays of this folder: source.npy [9][13][3] resized by cv2.resize (OpenCV 4.6).

MODE_WIDTHxHEIGHT.npy; the sizes reach every way that the resizer knows: enlarging, shrinking, halves, whole
blocks, one direction only, a single row, column or pixel.
"""
import os

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [(26, 18), (17, 10), (10, 7), (13, 3), (1, 9), (13, 1), (1, 1), (26, 5), (5, 20), (12, 9)]


def save(name, array):
    np.save(os.path.join(HERE, name + ".npy"), array)


def main():
    source = np.random.default_rng(7).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    save("source", source)
    for mode, flag in (("linear", cv2.INTER_LINEAR), ("area", cv2.INTER_AREA)):
        for size in SIZES:
            save("%s_%dx%d" % (mode, *size), cv2.resize(source, size, interpolation=flag))
        even = source[:8, :12]
        for size in ((6, 4), (4, 4), (12, 4)):
            save("%s_even_%dx%d" % (mode, *size), cv2.resize(even, size, interpolation=flag))


if __name__ == "__main__":
    main()
