#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page in a real browser: nothing on the console, the numbers of report.json in what it shows, links
# that unfold, nothing wider than the window, light and dark, and that it prints.
. "$SOURCE/tests/lib/cli.sh" || exit 1
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    skip 'neither chromium nor google-chrome is here: no browser looked at the page'

run quantize "$model" --data "$demo/shapes.yaml" --imgsz 320 --calib-images 4 --limit 4 -o q.onnx \
    --report rep --json
need_json

# look WIDTH URL [OPTIONS]: the document as the browser has it, in dom.
look() {
    local width=$1 url=$2
    shift 2
    what="$browser $url"
    timeout 200 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$scratch/profile" --enable-logging=stderr --window-size="$width,900" "$@" \
        "$url" >dom 2>err
    code=$?
    expect_code 0
    grep -q 'CONSOLE' err && fail 'the browser complains'
}

look 1200 "file://$scratch/rep/index.html#layer-model.0.conv" --dump-dom
grep -q '<details id="layer-model.0.conv" open' dom || fail 'a link to a layer does not unfold it'
what='comparing what the browser shows with report.json'
python3 - rep/report.json dom >differences <<'PY' || fail "$(cat differences)"
import html, json, re, sys
r = json.load(open(sys.argv[1]))["result"]
shown = html.unescape(re.sub(r"<[^>]*>", "\n", open(sys.argv[2], encoding="utf-8").read())).split("\n")
for row in ("fp32", "bf16", "int8"):
    for key, scale, digits in (("map50_95", 100, 2), ("map50", 100, 2), ("latency_ms", 1, 2), ("mib", 1, 1)):
        text = f"{scale * r[row][key]:.{digits}f}"
        if text not in shown:
            sys.exit(print(row, key, text, "is not shown") or 1)
verdict = f"({100 * r['fp32']['map50_95']:.2f} → {100 * r['int8']['map50_95']:.2f})"
if not any(verdict in line for line in shown):
    sys.exit(print("no verdict", verdict) or 1)
PY

# The page with its own measures at the end.
cp rep/index.html measure.html
cat >>measure.html <<'HTML'
<script>
const wide = [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('svg')
    && !e.closest('details:not([open])') && e.getBoundingClientRect().right > innerWidth + 1);
document.body.append(`FITS ${wide.length === 0 && document.documentElement.scrollWidth <= innerWidth},`,
    ` IMAGES ${[...document.querySelectorAll('image')].every(e => e.getBoundingClientRect().width > 50)},`,
    ` WIDE ${wide.slice(0, 3).map(e => e.tagName + ' ' + e.className)}`);
</script>
HTML
for width in 500 1200; do # a window is not narrower than 500
    look "$width" "file://$scratch/measure.html" --dump-dom
    grep -q 'FITS true, IMAGES true' dom || fail "at $width pixels: $(grep -o 'FITS.*' dom)"
done
look 1200 "file://$scratch/rep/index.html" --screenshot="$scratch/light.png"
look 1200 "file://$scratch/rep/index.html" --screenshot="$scratch/dark.png" --force-dark-mode
[ "$(stat -c %s light.png)" -gt 20000 ] || fail 'the picture of the page is blank'
cmp -s light.png dark.png && fail 'light and dark look the same'
look 1200 "file://$scratch/rep/index.html" --print-to-pdf="$scratch/page.pdf"
[ "$(head -c 5 page.pdf)" = '%PDF-' ] || fail 'it does not print'
exit 0
