#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md holds the help of every command word for word.

usage: cli_docs.py PROGRAM            fails when a block differs from what the program prints
       cli_docs.py PROGRAM --write    puts the program's words into the blocks

A block is fenced, and its first line is the command: '$ ptq help export'.
"""
import os
import re
import subprocess
import sys

import law

PAGE = "docs/cli.md"
BLOCK = re.compile(r"^```\n\$ ptq ([^\n]*)\n(.*?)^```$", re.M | re.S)


def main():
    program = os.path.abspath(sys.argv[1])
    page = law.read(PAGE)
    differ = []

    def spoken(m):
        p = subprocess.run([program, *m.group(1).split()], stdout=subprocess.PIPE, text=True, check=False)
        if p.stdout != m.group(2):
            differ.append(m.group(1))
        return f"```\n$ ptq {m.group(1)}\n{p.stdout}```"

    fresh = BLOCK.sub(spoken, page)
    if not BLOCK.search(page):
        sys.exit(f"{PAGE}: no blocks that begin with '$ ptq ...'")
    if "--write" in sys.argv:
        with open(os.path.join(law.ROOT, PAGE), "w", encoding="utf-8") as f:
            f.write(fresh)
    elif differ:
        sys.exit(f"{PAGE}: what the program prints differs for: {', '.join(differ)}; run tools/cli_docs.py PROGRAM --write")


if __name__ == "__main__":
    main()
