#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what bench/keep_k.py --json wrote: change of mAP with its interval, and fidelity, per ranking.

usage: bench/plot_keep_k.py -o docs/keep_k.svg TITLE=FILE.json ...
"""
import argparse
import html
import json

ROW, HEAD, LEFT, PANEL, GAP = 22, 44, 230, 250, 40
INK, FAINT, DOT = "#222", "#bbb", "#1a6fb0"


def text(x, y, words, anchor="start", size=12, colour=INK):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">'
            f"{html.escape(words)}</text>")


def line(x1, y1, x2, y2, colour=FAINT, width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def panel(out, x0, y0, rows, value, ends, title, digits):
    """Dots at value(row), bars from ends(row), on an axis of its own."""
    low = min(ends(r)[0] for r in rows)
    high = max(ends(r)[1] for r in rows)
    pad = (high - low) * 0.08 or 0.01
    low, high = low - pad, high + pad

    def at(v):
        return x0 + (v - low) / (high - low) * PANEL

    out.append(text(x0, y0 - 22, title))
    bottom = y0 + ROW * len(rows)
    for i in range(5):
        v = low + (high - low) * i / 4
        out.append(line(at(v), y0 - 4, at(v), bottom, "#eee"))
        out.append(text(at(v), y0 - 8, f"{v:.{digits}f}", "middle", 9, "#777"))
    if low < 0 < high:
        out.append(line(at(0), y0 - 4, at(0), bottom, "#888"))
    for i, r in enumerate(rows):
        y = y0 + ROW * (i + 0.5)
        a, b = ends(r)
        out.append(line(at(a), y, at(b), y, FAINT, 3))
        out.append(f'<circle cx="{at(value(r)):.1f}" cy="{y:.1f}" r="4.5" fill="{DOT}"/>')


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-o", "--output", required=True)
    p.add_argument("files", nargs="+", metavar="TITLE=FILE")
    a = p.parse_args()
    out, y = [], 0
    for item in a.files:
        title, path = item.split("=", 1)
        with open(path, encoding="utf-8") as f:
            rows = json.load(f)["rows"]
        out.append(text(8, y + 20, title, size=14))
        top = y + HEAD + 20
        for i, r in enumerate(rows):
            out.append(text(LEFT - 10, top + ROW * (i + 0.5) + 4, r["name"], "end"))
        panel(out, LEFT, top, rows, lambda r: r["change"], lambda r: (r["change_low"], r["change_high"]),
              "change of mAP, 95 % interval", 3)
        panel(out, LEFT + PANEL + GAP, top, rows, lambda r: r["fidelity"], lambda r: (r["fidelity"], r["fidelity"]),
              "fidelity", 3)
        y = top + ROW * len(rows) + 16
    width = LEFT + 2 * PANEL + GAP + 30
    with open(a.output, "w", encoding="utf-8") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
                f'viewBox="0 0 {width} {y}" font-family="sans-serif">\n'
                f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
