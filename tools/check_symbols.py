#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the built library exports: every visible symbol starts with ptq_.

usage: check_symbols.py [BUILD]    (else $PTQ_BUILD, else build)
"""
import os
import shutil
import subprocess
import sys

import law


def exported(library):
    """Defined global symbols with default visibility."""
    text = subprocess.run(["readelf", "--wide", "--syms", library], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = set()
    for line in text.splitlines():
        column = line.split()
        if len(column) == 8 and column[4] in ("GLOBAL", "WEAK") and column[5] == "DEFAULT" and column[6] != "UND":
            names.add(column[7])
    return names


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PTQ_BUILD", os.path.join(law.ROOT, "build"))
    library = os.path.join(build, "libptq.a")
    if not os.path.exists(library) or not shutil.which("readelf"):
        print(f"SKIPPED: no '{library}', or no readelf")
        sys.exit(77)
    verdict = law.Verdict("symbols")
    names = exported(library)
    for name in sorted(names):
        if not name.startswith("ptq_") and not name.startswith(("__asan_", "__odr_asan", "__ubsan_")):
            verdict.add(library, 0, f"'{name}' is visible: make it static, or hidden")
    verdict.done(f"{len(names)} symbols")


if __name__ == "__main__":
    main()
