#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Slips that people make: each is answered with what is wrong, where, and what to do instead.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 64"

mkdir empty pictures
cp "$demo"/images/val2017/0000000001*.jpg pictures
picture=pictures/000000000152.jpg
echo hello >notes.txt
echo '{"a": 1}' >foreign.json
python3 "$SOURCE/tests/lib/small_onnx.py" classifier classifier.onnx || fail 'making a file'

# data
refuse 3 'a data set is a data yaml or a folder of pictures: '\''pictures/0' eval "$model" --data $picture
refuse 3 'is not a data yaml' eval "$model" --data notes.txt
refuse 3 'a folder of pictures will do, too' eval "$model" --data notes.txt
refuse 3 "it has 'train', 'val'" eval "$model" $data --split tset
refuse 3 'go by --metric fidelity' eval "$model" --data pictures
# an evaluation that cannot be is told before anything is calibrated or written
refuse 3 'go by --metric fidelity' quantize "$model" --data pictures --imgsz 64 -o q.onnx
[ ! -e q.onnx ] || fail 'a file was written that was never measured'

# pictures
refuse 3 "'empty' holds no picture" detect "$model" empty
refuse 3 "'notes.txt' holds no picture" detect "$model" notes.txt
refuse 3 'it is a folder; name one picture in it' run "$model" --input pictures
refuse 3 "the folder 'notes.txt': a file has that name" detect "$model" $picture -o notes.txt

# models
for command in "detect classifier.onnx $picture" "eval classifier.onnx $data" "sensitivity classifier.onnx $data" \
    "compare classifier.onnx classifier.onnx $data"; do
    # shellcheck disable=SC2086
    refuse 4 "'classifier.onnx' is a classifier and gives no boxes" $command
done

# results
refuse 3 'give a file that a command printed with --json' report notes.txt
refuse 4 'name a file that is not there yet' sensitivity "$model" $data --journal foreign.json --limit 2 --calib-images 2

# slips of the finger
refuse 2 "unknown option '--versoin'; did you mean '--version'?" --versoin
refuse 2 "unknown option '--hlep'; did you mean '--help'?" info "$model" --hlep
refuse 2 'it is between 1 and 1000000' bench "$model" --runs 0

# an output of another kind than ONNX
refuse 2 "'model.engine' would be an ONNX file; end its name in .onnx" export "$model" -o model.engine
refuse 2 "'q.pt' would be an ONNX file" quantize "$model" $data -o q.pt

# what is excluded by a name that no layer has
run quantize "$model" $data --calib-images 2 --no-eval --exclude 'nolayer' --exclude 'model\.0\.' -o q.onnx --json
expect_code 0
expect_err "no layer's name begins like 'nolayer'"
! grep -qF "like 'model" err || fail 'a name that a layer has is warned of'
json 'len(d["warnings"]) == 1'
exit 0
