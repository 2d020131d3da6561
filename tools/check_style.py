#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The style that a machine can judge: sizes, names, banned calls, SPDX lines, room READMEs, clang-format.

Files named *_table.c are data and have no length limit.
"""
import os
import re
import shutil
import subprocess

import law

MAX_FUNCTION, MAX_BRANCHES, MAX_PARAMETERS, MAX_FILE, MAX_COLUMNS, MAX_README = 80, 15, 6, 700, 100, 25
SPDX = "SPDX-License-Identifier: Apache-2.0"
OPEN_END = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|alloca|system|popen)\s*\(")
# The library prints nothing, ends no process, and allocates through base/mem.h alone.
LOUD = re.compile(r"(?<![\w.>])(v?printf(?=\s*\()|(?:puts|putchar|perror|_?exit|abort)(?=\s*\()|stderr\b|stdout\b)")
ALLOCATES = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|strndup)\s*\(")
# Builders whose call reads like the node it makes.
MANY_PARAMETERS = {"graph_add_op", "graph_add_const", "graph_add_const_copy"}
BRANCH = re.compile(r"\b(?:if|for|while)\b|\?")
# The bodies that clang-format leaves: '{' and '}' alone in the first column.
BODY = re.compile(r"^(?P<head>[^\s#{}][^{};]*?\((?P<args>[^{};]*)\)[^{};()]*)\n\{\n(?P<body>.*?)^\}$", re.M | re.S)


def parameters(args):
    """Number of parameters; commas inside parentheses do not count."""
    flat = args
    while re.search(r"\([^()]*\)", flat):
        flat = re.sub(r"\([^()]*\)", "", flat)
    flat = flat.strip()
    return 0 if flat in ("", "void") else flat.count(",") + 1


def check_functions(verdict, path, code):
    for m in BODY.finditer(code):
        line = law.line_of(code, m.start())
        name = re.search(r"(\w+)\s*\(", m.group("head"))
        name = name.group(1) if name else "?"
        lines = m.group(0).count("\n") + 1
        branches = len(BRANCH.findall(m.group("body")))
        n = parameters(m.group("args"))
        if lines > MAX_FUNCTION:
            verdict.add(path, line, f"{name} is {lines} lines long, at most {MAX_FUNCTION}")
        if branches > MAX_BRANCHES:
            verdict.add(path, line, f"{name} has {branches} branches, at most {MAX_BRANCHES}")
        if n > MAX_PARAMETERS and name not in MANY_PARAMETERS:
            verdict.add(path, line, f"{name} has {n} parameters, at most {MAX_PARAMETERS}: use a struct")


def check_calls(verdict, path, code):
    inner = path.startswith("src/") and not path.startswith("src/cli/")
    owner = path.startswith("src/base/")
    for number, line in enumerate(code.split("\n"), 1):
        for m in BANNED.finditer(line):
            verdict.add(path, number, f"{m.group(1)} is banned")
        if inner:
            for m in LOUD.finditer(line):
                verdict.add(path, number, f"{m.group(1)} is not for the library")
        if inner and not owner:
            for m in ALLOCATES.finditer(line):
                verdict.add(path, number, f"{m.group(1)}: allocate through base/mem.h")


def check_text(verdict, path, text):
    lines = text.split("\n")
    if not any(SPDX in line for line in lines[:2]):
        verdict.add(path, 1, f"no '{SPDX}' line")
    if not text.endswith("\n") or text.endswith("\n\n"):
        verdict.add(path, len(lines), "a file ends with one newline")
    if len(lines) - 1 > MAX_FILE and not path.endswith("_table.c"):
        verdict.add(path, 1, f"{len(lines) - 1} lines, at most {MAX_FILE}")
    for number, line in enumerate(lines, 1):
        if OPEN_END.search(line):
            verdict.add(path, number, "open ends go to docs/limits.md")
        if line != line.rstrip() or ("\t" in line and not path.endswith(".sh")):
            verdict.add(path, number, "blank at the end of the line, or a tab")
        if path.endswith((".c", ".h")) and len(line) > MAX_COLUMNS:
            verdict.add(path, number, f"{len(line)} columns, at most {MAX_COLUMNS}")


def check_names(verdict, paths):
    seen = {}
    for path in paths:
        if path.endswith((".c", ".h", ".py", ".sh")):
            name = os.path.basename(path)
            # A public header and its inner counterpart share a name on purpose.
            key = name if not path.startswith("include/") else path
            if key in seen:
                verdict.add(path, 1, f"the name '{name}' is taken by {seen[key]}")
            seen[key] = path


def check_rooms(verdict):
    for room in sorted(os.listdir(os.path.join(law.ROOT, "src"))):
        folder = os.path.join(law.ROOT, "src", room)
        if not os.path.isdir(folder) or not any(n.endswith(".c") for _, _, names in os.walk(folder) for n in names):
            continue
        readme = f"src/{room}/README.md"
        if not os.path.exists(os.path.join(law.ROOT, readme)):
            verdict.add(readme, 1, "every room begins with a README.md")
        elif law.read(readme).count("\n") > MAX_README:
            verdict.add(readme, 1, f"more than {MAX_README} lines")


def check_format(verdict, paths):
    tool = shutil.which("clang-format")
    if not tool:
        return "clang-format not found: layout not judged"
    half = (len(paths) + 1) // 2
    jobs = [subprocess.Popen([tool, "--dry-run", "-Werror", *part], cwd=law.ROOT, stderr=subprocess.PIPE, text=True)
            for part in (paths[:half], paths[half:]) if part]
    for job in jobs:
        for m in re.finditer(r"^(\S+?):(\d+):\d+: error: .*\[-Wclang-format-violations\]", job.communicate()[1], re.M):
            verdict.add(m.group(1), int(m.group(2)), "not as clang-format lays it out ('make format')")
    return "with clang-format"


def main():
    verdict = law.Verdict("style")
    paths = law.files(".c", ".h", ".py", ".sh")
    for path in paths:
        text = law.read(path)
        check_text(verdict, path, text)
        if path.endswith((".c", ".h")):
            code = law.code_only(text)
            check_calls(verdict, path, code)
            check_functions(verdict, path, code)
    check_names(verdict, paths)
    check_rooms(verdict)
    note = check_format(verdict, [p for p in paths if p.endswith((".c", ".h"))])
    verdict.done(f"{len(paths)} files, {note}")


if __name__ == "__main__":
    main()
