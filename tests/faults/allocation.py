#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One allocation of a program fails, again and again another one: an error, no leak, no crash.

usage: allocation.py [--sample N] [--calls] [--unit] [--output FILE] SHIM PROGRAM [ARG ...]

A place is where an allocation is asked for, with its callers; at every place the first one fails.
--sample N   N places, evenly spread (PTQ_FAULTS=all: every one)
--calls      every call instead of every place
--unit       a cmocka program: may fail, leave things and be surprised itself, but what it tests may
             not crash
--output F   removed before each run; after it F is absent or as without a fault
{dir} in an argument is a folder of its own.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ENDED_WELL = (0, 1)
NO_MEMORY = "out of memory"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("--output")
    parser.add_argument("shim")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


class Runner:
    def __init__(self, args, folder):
        self.args = args
        self.folder = folder
        self.command = [a.replace("{dir}", folder) for a in args.command]
        self.output = args.output and args.output.replace("{dir}", folder)
        self.want = None
        self.problems = []

    def read_output(self):
        if not os.path.exists(self.output):
            return None
        with open(self.output, "rb") as f:
            return f.read()

    def run(self, **variables):
        """(exit code, both streams, numbers of the report)"""
        report = os.path.join(self.folder, "report")
        for path in (report, self.output):
            if path and os.path.exists(path):
                os.remove(path)
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1", "CMOCKA_TEST_ABORT": "1", "LD_PRELOAD": self.args.shim,
                       "PTQ_FAULT_REPORT": report, **variables}
        done = subprocess.run(self.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=600)
        text = done.stdout.decode(errors="replace")
        numbers = {}
        if os.path.exists(report):
            words = open(report).read().split()
            numbers = {k: int(v) for k, v in zip(words[::2], words[1::2])}
        return done.returncode, text, numbers

    def place_of_crash(self, text):
        """Source file, or None when it did not crash."""
        found = re.search(r"^crash: (0x[0-9a-f]+)", text, re.M)
        if not found:
            return None
        place = subprocess.run(["addr2line", "-e", self.command[0], found[1]], stdout=subprocess.PIPE, text=True, check=True)
        return place.stdout.strip()

    def judge(self, which, code, text, numbers):
        faults = []
        place = self.place_of_crash(text)
        if place:
            if not self.args.unit or "/tests/" not in place:
                faults.append(f"crashed at {place}")
        elif code < 0 and not (self.args.unit and code == -signal.SIGABRT and "Assertion" not in text):
            faults.append(f"died of {signal.Signals(-code).name}")
        elif not self.args.unit:
            if code not in ENDED_WELL and NO_MEMORY not in text:
                faults.append(f"exit code {code} without a word of memory")
            if code not in ENDED_WELL and code != 5:
                faults.append(f"exit code {code} instead of 5")
            if numbers.get("live", -1) != 0:
                faults.append(f"{numbers.get('live', 'unknown')} allocations are left")
            if self.output and self.read_output() not in (None, self.want):
                faults.append("an output that is not whole")
            if self.output and code == 0 and self.read_output() is None:
                faults.append("no output and no error")
        if faults:
            self.problems.append(which)
            last = text.strip().split("\n")[-1][:160]
            print(f"{which}: {', '.join(faults)}: {last}", flush=True)


def main():
    args = arguments()
    folder = tempfile.mkdtemp(prefix="ptq-faults-")
    try:
        runner = Runner(args, folder)
        code, text, numbers = runner.run(**({"PTQ_FAULT_CALL": "-1"} if args.calls else {}))
        if not numbers or code not in ENDED_WELL + (77,):
            sys.exit(f"without a fault: exit code {code}\n{text}")
        if not args.unit and numbers["live"]:
            sys.exit(f"without a fault: {numbers['live']} allocations are left")
        runner.want = runner.output and runner.read_output()
        kind = "calls" if args.calls else "sites"
        n = numbers[kind]
        wanted = n if os.environ.get("PTQ_FAULTS") == "all" or not args.sample else min(args.sample, n)
        silent = []
        for i in range(wanted):
            which = 1 + i * n // wanted
            code, text, found = runner.run(**{"PTQ_FAULT_CALL" if args.calls else "PTQ_FAULT_SITE": str(which)})
            if code in ENDED_WELL and found.get("fired"):
                silent.append(str(which))
            runner.judge(f"{kind[:-1]} {which}", code, text, found)
        print(f"{wanted} of {n} {kind}, {len(runner.problems)} wrong, done without: {' '.join(silent) or 'none'}")
        sys.exit(1 if runner.problems else 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
