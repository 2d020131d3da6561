#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The layers of src/: every #include goes to a room that the table of src/README.md allows.

Also: includes are written from src/ (never ../), the public door ptq/ptq.h is only for api and cli,
oneDNN is only called from kernels, and no files include each other in a circle.
"""
import os
import re

import law

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
# Outside libraries that one room alone may know.
LIBRARY_ROOM = {"oneapi/dnnl": "kernels", "zip.h": "formats", "yaml.h": "formats", "jpeglib.h": "formats", "png.h": "formats"}


def table():
    """{room: set of rooms it may include}, from the table of src/README.md."""
    rows = re.findall(r"^\| (\w+) (\d+) \| (.*?) \|$", law.read("src/README.md"), re.M)
    allowed, above = {}, set()
    for room, _, cell in rows:
        allowed[room] = set(above) if cell == "all above" else set() if "`" in cell else set(re.findall(r"\w+", cell))
        allowed[room].add(room)
        above.add(room)
    rank = {room: int(n) for room, n, _ in rows}
    for room in allowed:
        for other in allowed[room] - {room}:
            if rank[other] >= rank[room]:
                raise SystemExit(f"src/README.md: {room} may include {other}, which is not below it")
    return allowed


def judge(verdict, allowed, path, line, quote, target):
    room = path.split("/")[1]
    first = target.split("/")[0]
    if ".." in target.split("/"):
        verdict.add(path, line, f"'{target}': includes are written from src/, without '..'")
    elif first == "ptq":
        if target == "ptq/ptq.h" and room not in ("api", "cli"):
            verdict.add(path, line, f"{room} may not include the public door '{target}'")
    elif quote == "<":
        for library, owner in LIBRARY_ROOM.items():
            if target.startswith(library) and room != owner:
                verdict.add(path, line, f"<{target}> belongs to {owner}, not to {room}")
    elif "/" not in target:
        if room != "cli":
            verdict.add(path, line, f"'{target}': write the room, '{room}/{target}'")
    elif first not in allowed:
        verdict.add(path, line, f"'{target}' is in no room of src/README.md")
    elif room == "cli" or first not in allowed[room]:
        verdict.add(path, line, f"{room} -> {first} is not allowed ('{target}')")


def find_cycle(edges):
    """One circle of files that include each other, or None."""
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for other in edges.get(node, ()):
            if state.get(other) == "open":
                return trail[trail.index(other):] + [other]
            if other not in state:
                found = visit(other, trail + [other])
                if found:
                    return found
        state[node] = "done"
        return None

    for node in sorted(edges):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return None


def main():
    verdict = law.Verdict("layers")
    allowed = table()
    edges = {}
    paths = law.files(".c", ".h", under=("src",))
    for path in paths:
        room = path.split("/")[1]
        if room not in allowed:
            verdict.add(path, 1, f"room '{room}' is not in the table of src/README.md")
            continue
        text = law.read(path)
        for m in INCLUDE.finditer(text):
            judge(verdict, allowed, path, law.line_of(text, m.start()), m.group(1), m.group(2))
            target = os.path.join("src", room if "/" not in m.group(2) else "", m.group(2))
            if m.group(1) == '"' and os.path.exists(os.path.join(law.ROOT, target)):
                edges.setdefault(path, []).append(target)
    circle = find_cycle(edges)
    if circle:
        verdict.add(circle[0], 1, "files include each other: " + " -> ".join(circle))
    verdict.done(f"{len(paths)} files, {len(allowed)} rooms")


if __name__ == "__main__":
    main()
