# SPDX-License-Identifier: Apache-2.0
"""Runs what a document tells its reader to type.

usage: documents.py PAGE    (in a folder that holds demo/, with the program in PATH)

- a block ```sh: every line;
- a block with lines that begin with "$ ": those, and what stands below them must be among what they
  print, line by line, numbers and spaces aside; "..." leaves out what follows;
- any other block that begins with a command: not run, which needs a line before it that says why:
  <!-- not run: WHY -->
"""
import re
import subprocess
import sys

COMMAND = re.compile(r"(ptq|make|cmake|ctest|apt-get|trtexec|cc|git|docker|build/\S+|tools/\S+) ")
WHY = re.compile(r"<!-- not run: \S.* -->")


def blocks(lines):
    """(line number, kind, lines, the last text before it) of each block; kind "indent" without a fence"""
    before, at = "", 0
    while at < len(lines):
        line = lines[at]
        fence = re.match(r"```(\w*)$", line)
        if fence:
            end = next((i for i in range(at + 1, len(lines)) if lines[i] == "```"), None)
            if end is None:
                sys.exit(f"line {at + 1}: the block is never closed")
            yield at + 1, fence.group(1), lines[at + 1:end], before
            at = end + 1
        elif line.startswith("    ") and not before.startswith(("-", "|", "*")) and not lines[at - 1].strip():
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield at + 1, "indent", [x[4:] for x in lines[at:end]], before
            at = end
        else:
            before = line.strip() or before
            at += 1


def joined(lines):
    """Lines that end in a backslash go on."""
    return "\n".join(lines).replace("\\\n", " ").split("\n")


def masked(line):
    return " ".join(re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", line).split())


def run(where, command):
    done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{where}: '{command}' ends with {done.returncode}: {done.stdout[-600:]}")
    return {masked(x) for x in done.stdout.split("\n")}


def run_session(where, lines):
    printed = None
    for line in joined(lines):
        if line.startswith("$ "):
            printed = run(where, line[2:])
        elif line.strip() and not line.strip().startswith("...") and printed is not None and masked(line) not in printed:
            sys.exit(f"{where}: the command does not print '{line}'")


def main():
    page = sys.argv[1]
    n_run = 0
    for number, kind, lines, before in blocks(open(page, encoding="utf-8").read().split("\n")):
        where, first = f"{page}:{number}", next((x for x in lines if x.strip()), "")
        if WHY.match(before):
            continue
        if kind == "sh":
            for command in joined(lines):
                if command.strip():
                    run(where, command)
                    n_run += 1
        elif first.startswith("$ "):
            run_session(where, lines)
            n_run += 1
        elif COMMAND.match(first + " "):
            sys.exit(f"{where}: '{first}' is run by no test; mark the block as sh, or say why not: <!-- not run: WHY -->")
    print(f"{page}: {n_run} commands")


main()
