#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks themselves: in a small tree with one of each fault, every fault is found, and nothing else."""
import os
import subprocess
import sys
import tempfile

import law

TABLE = """| room (rank) | may include |
| --- | --- |
| base 0 | – |
| graph 1 | base |
| kernels 1 | base |
| api 5 | all above |
| cli 6 | `include/ptq/` only |
"""
HEAD = "/* " "SPDX-License-Identifier: Apache-2.0 */\n"
FAULTS = {
    "check_layers.py": {
        "src/base/up.c": ('#include "graph/g.h"\n', "base -> graph"),
        "src/graph/side.c": ('#include "kernels/k.h"\n', "graph -> kernels"),
        "src/graph/door.c": ('#include "ptq/ptq.h"\n', "public door"),
        "src/graph/dots.c": ('#include "../base/b.h"\n', "without '..'"),
        "src/graph/bare.c": ('#include "bare.h"\n', "write the room"),
        "src/graph/lib.c": ("#include <oneapi/dnnl/dnnl.h>\n", "belongs to kernels"),
        "src/cli/deep.c": ('#include "base/b.h"\n', "cli -> base"),
        "src/cellar/x.c": ("int x;\n", "room 'cellar'"),
        "src/graph/one.h": ('#include "graph/two.h"\n', "each other"),
        "src/graph/two.h": ('#include "graph/one.h"\n', ""),
        "src/api/fine.c": ('#include "graph/one.h"\n#include "ptq/ptq.h"\n', ""),
    },
    "check_style.py": {
        "src/base/long.c": ("int f(void)\n{\n" + "    ;\n" * 90 + "}\n", "f is 93 lines long"),
        "src/base/wide.c": ("int g(int a, int b, int c, int d, int e, int (*f)(int, int), int h)\n{\n    return a;\n}\n", "g has 7 parameters"),
        "src/base/maze.c": ("void m(int a)\n{\n" + "    if (a)\n        a++;\n" * 16 + "}\n", "m has 16 branches"),
        "src/base/banned.c": ("int h(const char *s)\n{\n    return atoi(s);\n}\n", "atoi is banned"),
        "src/base/loud.c": ('void p(void)\n{\n    printf("x");\n}\n', "printf is not for the library"),
        "src/graph/heap.c": ("void *q(void)\n{\n    return malloc(1);\n}\n", "base/mem.h"),
        "src/base/huge.c": ("extern int x;\n" * 800, "801 lines"),
        "src/base/data_table.c": ("extern int x;\n" * 800, ""),
        "src/base/open.c": ("/* TO" "DO: later */\n", "docs/limits.md"),
        "src/graph/twin.c": ("extern int x;\n", "is taken by src/base/twin.c"),
        "src/base/twin.c": ("extern int x;\n", ""),
        "src/base/quote.c": ('const char *s = "atoi(1) TABLE"; /* printf(x) */\n', ""),
        "src/graph/README.md": ("graph\n", ""),
    },
}


def plant(root, faults):
    for path, (text, _) in faults.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write((HEAD if path.endswith((".c", ".h")) else "") + text)
    with open(os.path.join(root, "src", "README.md"), "w", encoding="utf-8") as f:
        f.write(TABLE)


def main():
    verdict = law.Verdict("laws")
    checked = 0
    for tool, faults in FAULTS.items():
        with tempfile.TemporaryDirectory() as root:
            plant(root, faults)
            script = os.path.join(law.ROOT, "tools", tool)
            p = subprocess.run([sys.executable, script], env={**os.environ, "PTQ_ROOT": root}, stdout=subprocess.PIPE, text=True, check=False)
        lines = [line for line in p.stdout.splitlines() if "clang-format" not in line]
        for path, (_, words) in faults.items():
            checked += 1
            hits = [line for line in lines if line.startswith(path + ":") and words in line]
            if words and not hits:
                verdict.add(tool, 1, f"'{words}' in {path} was not found")
            if not words and [line for line in lines if line.startswith(path + ":")]:
                verdict.add(tool, 1, f"{path} is innocent and was accused")
        if p.returncode != 1:
            verdict.add(tool, 1, f"exit {p.returncode} with faults in the tree")
    verdict.done(f"{checked} planted files")


if __name__ == "__main__":
    main()
