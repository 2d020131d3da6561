# SPDX-License-Identifier: Apache-2.0
"""What the public headers tell in C: the indented lines of their comments.

usage: tutorial.py HEADER OUTPUT.c             ptq.h: one program, section by section, in order
       tutorial.py --snippets DIR OUTPUT.c     the other headers: functions, to be compiled only

Numbers of images become 6: that it compiles and runs is what is asked. What a snippet takes from around it
(`model`, `err`, `next_frame()`) is declared in CONTEXT.
"""
import os
import re
import sys

CONTEXT = """#include <ptq/ptq.h>
#include <stdio.h>
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wshadow"

struct movie { const uint8_t **frames; int width, height; };
extern ptq_model *model;
extern ptq_error err;
extern ptq_quantize_options options;
extern struct movie *movie;
extern ptq_image frame;
extern float *x, *y;
extern int64_t dims[4];
extern int rank;
int next_frame(ptq_image *out);
int next_batch(float *out);
"""


def code_of(comment):
    """The indented lines, and the empty ones between them."""
    lines = [line[2:] for line in comment.split("\n")[1:]]
    kept = [x[5:] if x.startswith("     ") else "" for x in lines if x.startswith("     ") or not x.strip()]
    return "\n".join(kept).strip("\n")


def codes_of(path):
    text = open(path, encoding="utf-8").read()
    return list(filter(None, map(code_of, re.findall(r"^/\*.*?\*/", text, re.S | re.M))))


def snippet(name, code):
    """Functions of its own stay outside; the rest becomes one."""
    whole = re.match(r"(?:(?:static|int|void)\b[^;{]*\n\{\n.*?\n\}\n)*", code, re.S).group(0)
    return (f'{whole}\nptq_status snippet_{name}(void);\nptq_status snippet_{name}(void)\n{{\n'
            f'{code[len(whole):]}\nreturn PTQ_OK;\n}}\n')


def snippets(folder):
    out = CONTEXT
    for file in sorted(os.listdir(folder)):
        for i, code in enumerate(codes_of(os.path.join(folder, file)) if file != "ptq.h" else []):
            out += f'#line 1 "{file}, code {i + 1}"\n' + snippet(f"{file[:-2]}_{i}", code)
    return out


def main():
    if sys.argv[1] == "--snippets":
        program = snippets(sys.argv[2])
    else:
        program = "\n".join(codes_of(sys.argv[1])) + "\n"
        program = re.sub(r"(limit|calib_images) = \d+;", r"\1 = 6;", program)
    with open(sys.argv[-1], "w", encoding="utf-8") as f:
        f.write(program)


main()
