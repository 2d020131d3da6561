#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What surrounds inference, held against inference alone: calibration, evaluation, load, threads.

usage: bench/pipeline.py MODEL.pt --data coco.yaml [--imgsz 640] [--images 24] [--rounds 3]

Images per second of a long command are those between a run over N images and one over 3 N, so that loading does not
count. Every ratio is made within a round; the table gives the median over the rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PTQ = os.environ.get("PTQ", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "ptq"))


def ptq(*args):
    p = subprocess.run([PTQ, *map(str, args), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit(f"pipeline: ptq {args[0]} failed: {p.stderr.strip()}")
    return json.loads(p.stdout)["result"]


def median_ms(a, model, precision, threads=2):
    run = ptq("bench", model, "--precision", precision, "--threads", threads, "--imgsz", a.imgsz, "--runs", 20)["runs"][0]
    return run["latency_ms"]["median"]


def ms_per_image(a, command, count_option):
    """The time of one more image."""
    seconds = []
    for n in (a.images, 3 * a.images):
        start = time.monotonic()
        ptq(*command, count_option, n)
        seconds.append(time.monotonic() - start)
    return (seconds[1] - seconds[0]) / (2 * a.images) * 1e3


def under_load(a, model):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        return median_ms(a, model, "int8")
    finally:
        for p in busy:
            p.kill()
            p.wait()


def one_round(a, folder):
    quantized, ranges = os.path.join(folder, "q.onnx"), os.path.join(folder, "ranges.json")
    common = ["--data", a.data, "--imgsz", a.imgsz, "--threads", 2]
    fp32, int8 = median_ms(a, a.model, "fp32"), median_ms(a, quantized, "int8")
    calibrate = ["calibrate", a.model, *common, "--batch", 1, "-f", "-o", ranges]
    evaluate = ["--batch", 1, "--no-rect", *common]
    return {
        "calibrating, all four methods, against FP32 inference": fp32 / ms_per_image(a, calibrate, "--calib-images"),
        "evaluating in FP32 against FP32 inference": fp32 / ms_per_image(a, ["eval", a.model, *evaluate], "--limit"),
        "evaluating in INT8 against INT8 inference": int8 / ms_per_image(a, ["eval", quantized, *evaluate], "--limit"),
        "INT8 with one busy process per core, times as long": under_load(a, quantized) / int8,
        "FP32, two threads against one": median_ms(a, a.model, "fp32", 1) / fp32,
        "INT8, two threads against one": median_ms(a, quantized, "int8", 1) / int8,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True, help="images to calibrate on and to evaluate")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ptq-bench-") as folder:
        ptq("quantize", a.model, "--data", a.data, "--imgsz", a.imgsz, "--calib-images", 8, "--no-eval",
            "-o", os.path.join(folder, "q.onnx"))
        rounds = [one_round(a, folder) for _ in range(a.rounds)]
    print("| | ratio |\n| --- | --- |")
    for row in rounds[0]:
        print(f"| {row} | {statistics.median(r[row] for r in rounds):.2f} |")


if __name__ == "__main__":
    main()
