#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names with spaces, quotes, other scripts and line ends of other systems; links as outputs.
. "$SOURCE/tests/lib/cli.sh" || exit 1

place="köln 模型 it's \"here\" & %s"
mkdir -p "$place/images/val 2017" "$place/labels/val 2017"
cp "$model" "$place/the model.pt"
for stem in $(sed -n 's|.*/\([0-9]*\).jpg|\1|p' "$demo/val2017.txt" | head -3); do
    cp "$demo/images/val2017/$stem.jpg" "$place/images/val 2017/bild ü $stem.jpg"
    cp "$demo/labels/val2017/$stem.txt" "$place/labels/val 2017/bild ü $stem.txt" 2>/dev/null || : >"$place/labels/val 2017/bild ü $stem.txt"
done

# A list as Windows writes it: byte order mark, backslashes, a drive, CRLF.
(
    printf '\xef\xbb\xbf'
    for f in "$place/images/val 2017"/*.jpg; do
        printf 'D:\\daten\\images\\val 2017\\%s\r\n' "$(basename "$f")"
    done
) >"$place/die liste.txt"
printf 'train: die liste.txt\r\nval: "die liste.txt"\r\nnc: 8\r\nnames: [a, "b b", ü, 猫, e, f, g, h]\r\n' >"$place/daten.yaml"
data="--data $place/daten.yaml"

run eval "$place/the model.pt" --data "$place/daten.yaml" --data-root "$place" --imgsz 64 --per-class --json
need_json
json 'r["images"] == 3 and {c["name"] for c in r["per_class"]} <= {"a", "b b", "ü", "猫", "e", "f", "g", "h"}'

run quantize "$place/the model.pt" --data "$place/daten.yaml" --data-root "$place" --imgsz 64 --no-eval \
    -o "$place/ein 模型.onnx" --report "$place/der bericht" --json
need_json
[ -s "$place/ein 模型.onnx" ] && [ -s "$place/der bericht/index.html" ] || fail 'an output is missing'
run info "$place/ein 模型.onnx" --json
need_json
run list "$place/images" -o "$place/neue liste.txt"
expect_code 0
[ "$(wc -l <"$place/neue liste.txt")" = 3 ] || fail 'the list is not whole'
run detect "$place/the model.pt" "$place/images/val 2017" -o "$place/bilder"
expect_code 0
[ "$(ls "$place/bilder" | wc -l)" = 3 ] || fail 'pictures are missing'

# A name that is no UTF-8 is a name all the same; in JSON it is told, not lost.
odd=$(printf 'caf\xe9.pt')
cp "$model" "$odd"
run info "$odd"
expect_code 0
run info "$odd" --json
case $code in 0) need_json ;; 2 | 3) ;; *) fail 'a name in Latin 1' ;; esac

# Outputs that are links stay links; one that leads nowhere is refused.
mkdir elsewhere
echo old >elsewhere/real.onnx
ln -s elsewhere/real.onnx link.onnx
refuse 3 "'link.onnx' exists" export "$model" -o link.onnx --imgsz 64
run export "$model" -o link.onnx --imgsz 64 --force
expect_code 0
[ -L link.onnx ] && [ "$(head -c 3 elsewhere/real.onnx)" != old ] || fail 'the link was replaced'
run info elsewhere/real.onnx
expect_code 0
ln -s nowhere/x.onnx lost.onnx
refuse 3 'a link that leads nowhere' export "$model" -o lost.onnx --imgsz 64
ln -s elsewhere folder
run export "$model" -o folder/y.onnx --imgsz 64
expect_code 0
[ -s elsewhere/y.onnx ] || fail 'not written through the folder link'
cp "$model" self.pt
ln -s self.pt self.onnx
refuse 2 'is the input itself' export self.pt -o self.onnx --force
cmp -s self.pt "$model" || fail 'the input was replaced'
