# SPDX-License-Identifier: Apache-2.0
"""The program that include/ptq/ptq.h tells section by section: the indented lines of its comments, in order.

usage: tutorial.py HEADER OUTPUT.c

Numbers of images become 6: that it compiles and runs is what is asked.
"""
import re
import sys


def code_of(comment):
    """The indented lines, and the empty ones between them."""
    lines = [line[2:] for line in comment.split("\n")[1:]]
    kept = [x[5:] if x.startswith("     ") else "" for x in lines if x.startswith("     ") or not x.strip()]
    return "\n".join(kept).strip("\n")


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    program = "\n".join(filter(None, map(code_of, re.findall(r"^/\*.*?\*/", text, re.S | re.M)))) + "\n"
    program = re.sub(r"(limit|calib_images) = \d+;", r"\1 = 6;", program)
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(program)


main()
