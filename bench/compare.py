#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ptq and ONNX Runtime on the same models, side by side.

usage: bench/compare.py MODEL.pt --data coco.yaml [--imgsz 640] [--threads 2] [--rounds 3] [--runs 20]

Makes an FP32 export and the quantized files for both runtimes in a temporary folder, then times all of them in turn,
several rounds, so that whatever else the machine does hits all alike. Prints one table in Markdown: the median over
the rounds of each median, and the speed relative to ONNX Runtime's FP32 of the same round. Freed memory is kept.

Needs build/ptq (`make`), node, and the npm package onnxruntime-node in $ORT_HOME or in this folder
(`npm install --prefix bench onnxruntime-node`).
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PTQ = os.environ.get("PTQ", os.path.join(os.path.dirname(HERE), "build", "ptq"))

# glibc keeps freed memory, for both sides. As it is by default, node gets new pages for the output of most runs (8.5 MB),
# whose first touch costs a virtual machine up to 26 ms a run: by luck, and not ONNX Runtime's fault.
os.environ.update(MALLOC_MMAP_THRESHOLD_="1000000000", MALLOC_TRIM_THRESHOLD_="2000000000")


def ptq(*args):
    p = subprocess.run([PTQ, *map(str, args), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit(f"compare: ptq {args[0]} failed: {p.stderr.strip()}")
    return json.loads(p.stdout)["result"]


def onnxruntime(model, threads, runs):
    command = ["node", os.path.join(HERE, "onnxruntime.mjs"), model, str(threads), str(runs)]
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit(f"compare: ONNX Runtime failed on '{model}': {p.stderr.strip()[-300:]}")
    return json.loads(p.stdout.strip().split("\n")[-1])


def make_files(a, folder):
    """The files to be timed: float, quantized for TensorRT, quantized for ONNX Runtime."""
    files = {name: os.path.join(folder, name + ".onnx") for name in ("fp32", "tensorrt10", "onnxruntime")}
    ptq("export", a.model, "--imgsz", a.imgsz, "-o", files["fp32"])
    for target in ("tensorrt10", "onnxruntime"):
        ptq("quantize", a.model, "--data", a.data, "--imgsz", a.imgsz, "--calib-images", 8, "--target", target,
            "--no-eval", "-o", files[target])
    return files


def one_round(a, files):
    """{row: ms} of everything, once; and the share of the peak of ptq's rows."""
    ms, share = {}, {}
    common = ["--threads", a.threads, "--runs", a.runs, "--imgsz", a.imgsz]
    for row, model, precision in (("ptq FP32", a.model, "fp32"), ("ptq bf16", a.model, "bf16"),
                                  ("ptq INT8", files["tensorrt10"], "int8")):
        run = ptq("bench", model, "--precision", precision, *common)["runs"][0]
        ms[row], share[row] = run["latency_ms"]["median"], run["peak_fraction"]
    for row, name in (("ONNX Runtime FP32", "fp32"), ("ONNX Runtime INT8, its own file", "onnxruntime"),
                      ("ONNX Runtime INT8, the file for TensorRT", "tensorrt10")):
        answer = onnxruntime(files[name], a.threads, a.runs)
        ms[row], one_round.version = answer["median_ms"], answer["version"]
    return ms, share


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].replace("usage: ", ""))
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    for name, preset in (("imgsz", 640), ("threads", os.cpu_count()), ("rounds", 3), ("runs", 20)):
        parser.add_argument("--" + name, type=int, default=preset)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(a, folder)
        rounds = [one_round(a, files) for _ in range(a.rounds)]
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               platform.machine())
    print(f"{os.path.basename(a.model)} at {a.imgsz}, batch 1, {a.threads} threads, {cpu}; "
          f"ONNX Runtime {one_round.version}; median of {a.rounds} rounds of {a.runs} runs\n")
    print("| | ms | speed | of the peak |\n| --- | --- | --- | --- |")
    for row in rounds[0][0]:
        ms = statistics.median(r[0][row] for r in rounds)
        speed = statistics.median(r[0]["ONNX Runtime FP32"] / r[0][row] for r in rounds)
        share = statistics.median(r[1][row] for r in rounds) if row in rounds[0][1] else None
        print(f"| {row} | {ms:.1f} | {speed:.2f}x | {f'{100 * share:.0f} %' if share else ''} |")


if __name__ == "__main__":
    main()
