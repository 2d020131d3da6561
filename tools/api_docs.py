#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference pages of the library from its headers: a Markdown page per header, and an index.

usage: api_docs.py FOLDER

A page holds the header's first comment, then every declaration with the comment above it, in the order
of the header, which is the order to read them in.
"""
import os
import re
import sys

import law

HEADERS = ["ptq", "runner", "image", "quantizer", "quant_config", "env", "error"]
NOISE = re.compile(r"^(#|extern \"C\"|\})")


def comment_text(block):
    """A /* comment */ without its stars; what is indented by four is code."""
    text = re.sub(r"^/\*|\*/$", "", block.strip())
    lines = [re.sub(r"^ \* ?", "", x).rstrip() for x in text.split("\n")]
    return "\n".join([lines[0].strip()] + lines[1:]).strip()


def pieces(text):
    """("comment" or "code", text) in order; code ends at a blank line outside of braces."""
    at = 0
    while at < len(text):
        if text.startswith("/*", at):
            end = text.index("*/", at) + 2
            yield "comment", text[at:end]
        else:
            end, depth = at, 0
            while end < len(text):
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                if depth == 0 and (text.startswith("\n\n", end) or text.startswith("\n/*", end)):
                    break
                end += 1
            if text[at:end].strip():
                yield "code", text[at:end].strip("\n")
        at = end
        while at < len(text) and text[at] == "\n":
            at += 1


def names_of(code):
    """What a piece of code declares."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    found = re.findall(r"\b(ptq_\w+)\(", code)
    found += re.findall(r"^\} (ptq_\w+);", code, re.M) + re.findall(r"^typedef struct \w+ (\w+);", code, re.M)
    return list(dict.fromkeys(found))


def page(name, text):
    body = re.sub(r"#ifdef __cplusplus.*?#endif\n", "", text.split("*/", 1)[1], flags=re.S)
    out, names = [f"# ptq/{name}.h\n"], []
    for kind, piece in pieces(body):
        code = "\n".join(x for x in piece.split("\n") if not NOISE.match(x) or x.startswith("} ptq_")) if kind == "code" else piece
        if not code.strip():
            continue
        if kind == "code":
            declared = names_of(code)
            names += declared
            if declared:
                out.append("## " + ", ".join(f"`{x}`" for x in declared) + "\n")
            out.append(f"```c\n{code.strip()}\n```\n")
        else:
            heading = re.match(r"/\* -{8,} (.*) \*/", piece)
            title = re.match(rf"ptq/{name}\.h — ", comment_text(piece))
            out.append(f"# {heading.group(1)}\n" if heading else comment_text(piece)[title.end() if title else 0:] + "\n")
    return "\n".join(out), names


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    index = ["# The library\n"]
    for name in HEADERS:
        with open(os.path.join(law.ROOT, "include", "ptq", name + ".h"), encoding="utf-8") as f:
            text, names = page(name, f.read())
        with open(os.path.join(folder, name + ".md"), "w", encoding="utf-8") as f:
            f.write(text)
        index.append(f"- [ptq/{name}.h]({name}.md): " + ", ".join(f"`{x}`" for x in names))
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(index) + "\n")
    print(f"{folder}: {len(HEADERS)} pages")


if __name__ == "__main__":
    main()
