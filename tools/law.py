# SPDX-License-Identifier: Apache-2.0
"""What the checks of tools/check_*.py share: the files of the tree, C without comments, a verdict."""
import os
import re
import sys

ROOT = os.environ.get("PTQ_ROOT") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREES = ("include", "src", "tests", "tools", "examples")


def files(*suffixes, under=TREES):
    """Paths relative to the root, sorted, of our own source files."""
    found = []
    for tree in under:
        for folder, _, names in os.walk(os.path.join(ROOT, tree)):
            found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def blank(text):
    """As many newlines as `text` has, so that line numbers stay."""
    return "\n" * text.count("\n")


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C with comments removed and literals emptied; lines keep their numbers."""
    def keep(m):
        t = m.group(0)
        if t[0] == "/":
            return " " + blank(t)
        return t[0] * 2
    return TOKEN.sub(keep, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Verdict:
    """Collects findings; done() prints them and gives the exit status."""

    def __init__(self, law):
        self.law = law
        self.findings = []

    def add(self, path, line, text):
        self.findings.append(f"{path}:{line}: {text}")

    def done(self, checked):
        for f in self.findings:
            print(f)
        if self.findings:
            print(f"{self.law}: {len(self.findings)} broken")
            sys.exit(1)
        print(f"{self.law}: kept ({checked})")
        sys.exit(0)
