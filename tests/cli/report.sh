#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page of a report: one file, whole, with the numbers of report.json; and pages from other results.
. "$SOURCE/tests/lib/cli.sh" || exit 1

# page FILE: needs nothing else, and every element is closed.
page() {
    what="looking at $1"
    python3 - "$1" >differences <<'PY' || fail "$(cat differences)"
import re, sys
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
VOID = {"meta", "link", "br", "img"}
class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.svgs, self.described = [], set(), set(), 0, 0
    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if "id" in a:
            if a["id"] in self.ids:
                sys.exit(print("twice the id", a["id"]) or 1)
            self.ids.add(a["id"])
        for key in ("href", "src"):
            v = a.get(key, "#")
            if v.startswith("#"):
                self.targets.add(v[1:])
            elif not v.startswith("data:"):
                sys.exit(print("leads out of the page:", v[:80]) or 1)
        self.svgs += tag == "svg"
        self.described += tag == "desc"
        if tag not in VOID:
            self.open.append(tag)
    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            sys.exit(print("closes what is not open:", tag, self.getpos()) or 1)
p = Page()
p.feed(text)
if p.open:
    sys.exit(print("never closed:", p.open) or 1)
if p.targets - p.ids - {""}:
    sys.exit(print("links to nothing:", sorted(p.targets - p.ids)[:5]) or 1)
if p.svgs != p.described:
    sys.exit(print("a chart without a description") or 1)
if re.search(r"\b(nan|inf)\b", re.sub(r"data:[^\"]*", "", text)):
    sys.exit(print("a number that is none") or 1)
PY
}

run quantize "$model" --data "$demo/shapes.yaml" --imgsz 320 --calib-images 4 --limit 6 --keep16 1 \
    -o q.onnx --report rep --json
need_json
page rep/index.html
what='comparing index.html with report.json'
python3 - out rep >differences <<'PY' || fail "$(cat differences)"
import json, sys
printed = json.load(open(sys.argv[1]))
saved = json.load(open(sys.argv[2] + "/report.json"))
html = open(sys.argv[2] + "/index.html", encoding="utf-8").read()
facts = saved.pop("facts")
if saved != printed:
    sys.exit(print("report.json is not what was printed") or 1)
r = saved["result"]
for row in ("fp32", "bf16", "int8"):
    for key, text in (("map50_95", f"{100 * r[row]['map50_95']:.2f}"), ("latency_ms", f"{r[row]['latency_ms']:.2f}")):
        if f">{text}<" not in html:
            sys.exit(print(row, key, text, "is not on the page") or 1)
for x in facts["layers"]:
    if f'id="layer-{x["name"]}"' not in html:
        sys.exit(print("no layer", x["name"]) or 1)
    if sum(x["histogram"]["counts"]) != x["values"] or x["amax"]["max"] > x["histogram"]["max"] * 1.0001:
        sys.exit(print("histogram of", x["name"]) or 1)
if len(facts["layers"]) != 92 or sum(x["kept"] is not None for x in facts["layers"]) != 4:
    sys.exit(print("92 convolutions, three of the head and one by rank kept") or 1)
for c in facts["classes"]: # a curve's mean is its AP at IoU 0.5, but for the reading at 101 points
    for side in ("fp32", "int8"):
        if c["labels"] and abs(sum(c[side]["curve"]) / 101 - c[side]["ap50"]) > 0.03:
            sys.exit(print("the curve of", c["name"], "is not that of its AP50") or 1)
cells, nothing = facts["confusion"]["cells"], len(facts["confusion"]["names"])
for side in (2, 3): # every label is in one cell of its row
    labels = [sum(x[side] for x in cells if x[0] == i) for i in range(nothing)]
    if sum(labels) != sum(c["labels"] for c in facts["classes"]):
        sys.exit(print("confusions count other labels than there are") or 1)
if not any(x["pareto"] for x in r["front"]) or ", chosen</text>" not in html:
    sys.exit(print("no front") or 1)
worst = [x["disagreement"] for x in facts["gallery"]]
if worst != sorted(worst, reverse=True) or len(worst) != 6:
    sys.exit(print("the gallery is not in order") or 1)
PY
python3 - rep/report.json >reproduce.sh <<'PY'
import json, sys
print(json.load(open(sys.argv[1]))["facts"]["reproduce"], "--force")
PY
before=$(sha256sum <q.onnx)
what=$(cat reproduce.sh)
PATH=$(dirname "$PTQ"):$PATH sh reproduce.sh >out 2>err
code=$?
expect_code 0
[ "$(sha256sum <q.onnx)" = "$before" ] || fail 'the command for reproducing does not reproduce'

run report rep/report.json -o again.html
expect_code 0
expect_out 'wrote again.html'
cmp -s again.html rep/index.html || fail 'the page made again differs'
refuse 3 'exists; use --force' report rep/report.json -o again.html
run info "$model" --json
cp out info.json
run report info.json
expect_code 0
page info.html
refuse 3 'is not JSON' report "$model" -o x.html
echo '{"schema": 1, "command": "<b>", "result": {"fp32": 3, "layers": [1, {}]}}' >odd.json
run report odd.json
expect_code 0
page odd.html
echo '{"schema": 2}' >other.json
refuse 3 'is not a result of ptq' report other.json
exit 0
