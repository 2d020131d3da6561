#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of this folder, each with the pixels that OpenCV's imread gives (NAME.npy, RGB).

Needs numpy, OpenCV and Pillow; the files here are from numpy 1.24, OpenCV 4.6, Pillow 9.4, libjpeg-turbo 2.1.5.
"""
import os
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEIGHT = 37, 23


def picture(channels=3, bits=8):
    """A smooth ramp with a hard edge and some noise: everything that a decoder can get wrong shows."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [(x * (3 + c) + y * (7 - c)) % 200 + 40 * (x > 20) * (c == 1) for c in range(channels)]
    noise = np.random.default_rng(1).integers(0, 16, (HEIGHT, WIDTH, channels))
    p = np.stack(planes, 2) + noise
    return (p % 256).astype(np.uint8) if bits == 8 else (p * 257 % 65536 + noise).astype(np.uint16)


def path(name):
    return os.path.join(HERE, name)


def expect(name):
    pixels = cv2.imread(path(name))
    np.save(path(os.path.splitext(name)[0] + ".npy"), pixels[:, :, ::-1].copy())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(samples, bits):
    """Filter byte 0 and packed samples for every row of a [height][width][channels] array."""
    out = b""
    for row in samples:
        flat = row.reshape(-1)
        if bits == 16:
            packed = flat.astype(">u2").tobytes()
        elif bits == 8:
            packed = flat.astype(np.uint8).tobytes()
        else:
            ones = np.unpackbits(flat.astype(np.uint8)[:, None], axis=1)[:, 8 - bits:]
            packed = np.packbits(ones.reshape(-1)).tobytes()
        out += b"\0" + packed
    return out


def png(name, samples, color_type, bits, adam7=False, extra=b"", late=b""):
    height, width = samples.shape[:2]
    if adam7:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = [samples[y::dy, x::dx] for y, x, dy, dx in passes]
        raw = b"".join(rows(p, bits) for p in parts if p.size)
    else:
        raw = rows(samples, bits)
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, int(adam7))
    with open(path(name), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + late + chunk(b"IEND", b""))
    expect(name)


def jpegs():
    rgb = Image.fromarray(picture())
    for name, options in {
        "jpeg444.jpg": {"subsampling": "4:4:4"},
        "jpeg422.jpg": {"subsampling": "4:2:2"},
        "jpeg420.jpg": {"subsampling": "4:2:0"},
        "progressive.jpg": {"subsampling": "4:2:0", "progressive": True},
    }.items():
        rgb.save(path(name), quality=80, optimize=True, **options)
        expect(name)
    rgb.convert("L").save(path("grey.jpg"), quality=80, optimize=True)
    expect("grey.jpg")
    Image.fromarray(picture(4), "CMYK").save(path("cmyk.jpg"), quality=80, optimize=True)
    expect("cmyk.jpg")
    small = Image.fromarray(picture()[:12, :16])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"exif{orientation}.jpg"
        small.save(path(name), quality=60, optimize=True, subsampling="4:4:4", exif=exif)
        expect(name)


def late_exif():
    """Orientation 6 between the last two scans of a progressive picture, where nobody looks for it."""
    data = open(path("progressive.jpg"), "rb").read()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    last_scan = data.rfind(b"\xff\xda")
    with open(path("late_scan.jpg"), "wb") as f:
        f.write(data[:last_scan] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[last_scan:])
    expect("late_scan.jpg")


def pngs():
    rgba = picture(4)
    palette = chunk(b"PLTE", bytes(i * 37 % 256 for i in range(48))) + chunk(b"tRNS", bytes(range(0, 160, 10)))
    turned = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    png("grey1.png", picture(1) >> 7, 0, 1)
    png("grey16.png", picture(1, 16), 0, 16)
    png("grey_alpha.png", picture(2), 4, 8)
    png("palette4.png", picture(1) >> 4, 3, 4, extra=palette)
    png("rgb16_adam7.png", picture(3, 16), 2, 16, adam7=True)
    png("rgba.png", rgba, 6, 8)
    png("turned.png", picture()[:8, :12], 2, 8, extra=turned)
    png("late_chunk.png", picture()[:8, :12], 2, 8, late=turned)


if __name__ == "__main__":
    pngs()
    jpegs()
    late_exif()
