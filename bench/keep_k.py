#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a ranking buys: the k layers it names stay in 16 bit, and other images judge.

usage: bench/keep_k.py MODEL --data coco.yaml [--judge other.yaml] [--imgsz 640] [-k 5] [--random 5] [--json FILE]

The layers are ranked on the pictures of --data, by the race, by the race without labels, and by every layer on every
picture (mAP, exhaustive); --keep16 searches on the calibration pictures. Chance draws k layers several times. All are
then quantized with the same ranges and measured on --judge; without it the first half of --data ranks and the second
half judges. Prints one table in Markdown.

Needs build/ptq (`make`).
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PTQ = os.environ.get("PTQ", os.path.join(os.path.dirname(HERE), "build", "ptq"))


def ptq(*args):
    p = subprocess.run([PTQ, *map(str, args), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode not in (0, 1):
        sys.exit(f"keep_k: ptq {args[0]} failed: {p.stderr.strip()}")
    return json.loads(p.stdout)["result"]


def pictures(list_file):
    """The lines of a list, as absolute paths."""
    folder = os.path.dirname(os.path.abspath(list_file))
    with open(list_file, encoding="utf-8") as f:
        return [os.path.normpath(os.path.join(folder, line.strip())) for line in f if line.strip()]


def half(yaml, which, folder):
    """A copy of a data yaml whose val is the first (0) or second (1) half of its list."""
    base, lines = os.path.dirname(os.path.abspath(yaml)), []
    with open(yaml, encoding="utf-8") as f:
        for line in f.read().splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "val":
                all_of_them = pictures(os.path.join(base, value))
                middle = len(all_of_them) // 2
                value = os.path.join(folder, f"half{which}.txt")
                with open(value, "w", encoding="utf-8") as out:
                    out.write("\n".join(all_of_them[middle:] if which else all_of_them[:middle]) + "\n")
                line = f"val: {value}"
            elif key in ("train", "path"):
                line = f"{key}: {os.path.join(base, value)}"
            elif key == "annotations":
                continue
            lines.append(line)
    path = os.path.join(folder, f"half{which}.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return path


class Job:
    def __init__(self, a, folder):
        self.a, self.folder = a, folder
        self.rank_data = a.data if a.judge else half(a.data, 0, folder)
        self.judge_data = a.judge or half(a.data, 1, folder)
        self.ranges = os.path.join(folder, "ranges.json")
        ptq("calibrate", a.model, "--data", a.data, "--imgsz", a.imgsz, "-o", self.ranges)

    def judge(self, *options):
        """int8, fp32 of a quantization with these options, measured on the other pictures."""
        r = ptq("quantize", self.a.model, "--data", self.judge_data, "--calib-from", self.ranges, "--imgsz",
                self.a.imgsz, "--effort", "quick", *options, "-f", "-o", os.path.join(self.folder, "q.onnx"))
        return r

    def keep(self, names):
        return self.judge(*(x for n in names for x in ("--exclude", re.escape(n) + "$")))

    def rank(self, *options):
        r = ptq("sensitivity", self.a.model, "--data", self.rank_data, "--calib-from", self.ranges, "--imgsz",
                self.a.imgsz, "--top", self.a.k, *options)
        return [layer["name"] for layer in r["layers"]]


def row(name, results):
    """One line of the table; several results are averaged."""
    def mean(key):
        return statistics.mean(r["int8"][key] for r in results)
    spread = [r["int8"]["map50_95"] for r in results]
    low, high = (min(spread), max(spread)) if len(spread) > 1 else (None, None)
    line = {"name": name, "map": mean("map50_95"), "change": mean("change"), "fidelity": mean("fidelity"), "low": low,
            "high": high, "change_low": mean("change_low"), "change_high": mean("change_high"), "runs": len(results)}
    print(f"| {name} | {line['map']:.4f} | {line['change']:+.4f} | {line['change_low']:+.4f} to "
          f"{line['change_high']:+.4f} | {line['fidelity']:.4f} |", flush=True)
    return line


def run(a, folder):
    job = Job(a, folder)
    base = job.judge()
    quantizable = [q["layer"] for q in base["quantizers"] if q.get("weight")]
    print(f"{len(quantizable)} layers, {a.k} kept; FP32 {base['fp32']['map50_95']:.4f}\n")
    print("| kept in 16 bit | mAP@.5:.95 | change | 95 % interval | fidelity |\n| --- | --- | --- | --- | --- |")
    lines = [row("none", [base])]

    def kept(ranking):
        return [n for n in ranking if n in quantizable][:a.k]

    named = {"race, mAP": kept(job.rank()), "race, fidelity (no labels)": kept(job.rank("--metric", "fidelity")),
             "all layers on all images, mAP": kept(job.rank("--exhaustive"))}
    for name, layers in named.items():
        lines.append(row(name, [job.keep(layers)]))
    q = ptq("quantize", a.model, "--data", a.data, "--imgsz", a.imgsz, "--effort", "quick", "--keep16", a.k, "--no-eval",
            "-f", "-o", os.path.join(folder, "k.onnx"))
    searched = [n for step in q["search"]["steps"] for n in step["layers"]][:a.k]
    lines.append(row("--keep16 (search, no labels)", [job.keep(searched)]))
    draw = random.Random(1)
    lines.append(row(f"chance, mean of {a.random}",
                     [job.keep(draw.sample(quantizable, a.k)) for _ in range(a.random)]))
    named["--keep16"] = searched
    print()
    for name, layers in named.items():
        print(f"{name}: {' '.join(layers)}")
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"fp32": base["fp32"], "rows": lines, "layers": named}, f, indent=1)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--data", required=True)
    p.add_argument("--judge")
    p.add_argument("--imgsz", type=int, default=640)
    p.add_argument("-k", type=int, default=5)
    p.add_argument("--random", type=int, default=5)
    p.add_argument("--json")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="ptq-keep-") as folder:
        run(a, folder)


if __name__ == "__main__":
    main()
