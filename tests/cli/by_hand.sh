#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inserting by hand on the demo: what was inserted is saved, edited and replayed to the identical file;
# what no runtime has is simulated and not written; quantizers are taken out of a file again.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 96"
picture=$demo/images/val2017/000000000152.jpg

run calibrate "$model" $data --calib-images 4 -o ranges.json
expect_code 0
quantize="quantize $model $data --calib-from ranges.json --no-eval"

# Options here, the saved file alone there: the same bytes.
run $quantize --calib percentile --percentile 99.9 --exclude 'model\.1\.' --quantize-head \
    --save-config auto.yaml -o auto.onnx --json
need_json
json 'r["quantized_layers"] == 91 and r["saved_config"] == "auto.yaml"'
run $quantize --quant-config auto.yaml --save-config again.yaml -o again.onnx
expect_code 0
cmp -s auto.onnx again.onnx || fail 'the replayed model differs'
run $quantize --save-config auto.yaml -o other.onnx
expect_code 3
expect_err "'auto.yaml' exists"

# Edited: one layer by another method, one float, one fixed.
sed -i "/'model.4.conv'/s/input: {amax_method: percentile, percentile: [0-9.]*}/input: {amax_method: mse}/
    /'model.20.conv'/s/input: .*/disabled: true}/
    /'model.22.conv'/s/input: {[^}]*}/input: {amax: 3.25}/" auto.yaml
run $quantize --quant-config auto.yaml -o edited.onnx --json
need_json
json 'any(k["name"] == "model.20.conv" for k in r["kept_layers"])'
json '[q["input"]["amax"] for q in r["quantizers"] if q["layer"] == "model.22.conv"] == [3.25]'
! cmp -s auto.onnx edited.onnx || fail 'the edited model is the same'

# info saves without images; the tree is what printing a PyTorch model shows.
run info "$model" --quant --save-config info.yaml
expect_code 0
expect_out '      (conv): QuantConv2d('
expect_out '(_weight_quantizer): TensorQuantizer(8bit fake axis=0 amax=dynamic calibrator=MaxCalibrator quant)'
expect_out '(0): Conv2d() # float'
expect_out 'output layer: the answers come straight from it'
run info "$model" --quant --calib-from ranges.json --json
need_json
json '0.9 < r["quantizers"][0]["input"]["amax"] <= 1 and len(r["quantizers"][0]["weight"]["amax"]) == 8'
json 'len(r["groups"]) > 10'
run $quantize --quant-config info.yaml -o from-info.onnx
expect_code 0
run $quantize -o plain.onnx
expect_code 0
cmp -s plain.onnx from-info.onnx || fail 'the settings that info saved make another model'

# The other targets replay as well.
for target in tensorrt11 onnxruntime; do
    run calibrate "$model" $data --calib-images 4 --target $target -o ranges-$target.json
    expect_code 0
    other="quantize $model $data --calib-from ranges-$target.json --no-eval --target $target"
    run $other --calib entropy --save-config $target.yaml -o $target.onnx
    expect_code 0
    run $other --quant-config $target.yaml -o $target.again.onnx
    expect_code 0
    cmp -s $target.onnx $target.again.onnx || fail "the model replayed for $target differs"
done

# What no runtime has: simulated, not written; nothing is left behind.
cat >low.yaml <<'YAML'
layers:
  - {layer: model.2.conv, input: {num_bits: 4}}
  - {layer: model.3.conv, input: {axis: 1, calib_method: max}, weight: {axis: [0, 1]}}
YAML
refuse 4 "layer 'model.2.conv' cannot be written for tensorrt10" $quantize --quant-config low.yaml -o low.onnx
[ ! -e low.onnx ] || fail 'low.onnx was written'
run quantize "$model" $data --calib-images 4 --quant-config low.yaml --simulate --limit 8 --json
need_json
json '"int8" not in r and 0 <= r["simulated"]["map50_95"] <= 1 and "output" not in r'
[ -z "$(ls ./*int8.onnx 2>/dev/null)" ] || fail 'a simulation wrote a file'
refuse 2 'needs' info
refuse 2 'simulate without an evaluation' $quantize --simulate

# A learned range is found with images, and only with them.
cat >learn.yaml <<'YAML'
layers: [{layer: model.2.conv, input: {learn_amax: true}, weight: {learn_amax: true, axis: null}}]
YAML
run quantize "$model" $data --calib-from ranges.json --no-eval --quant-config learn.yaml -o learn.onnx --json
need_json
json 'len(r["learned"]) == 2 and all(u["error"] <= u["calibrated_error"] for u in r["learned"])'
refuse 2 'give a data set with --data' quantize "$model" --calib-from ranges.json --no-eval \
    --quant-config learn.yaml -o none.onnx --imgsz 96

# One scale on boxes and scores: a warning with numbers.
echo 'tensors: [{match: output}]' >decoded.yaml
run quantize "$model" $data --calib-images 4 --no-eval --quant-config decoded.yaml -o decoded.onnx
expect_code 0
expect_err 'covers boxes up to'
expect_err 'all scores with it'

# Groups: the report tells ratio and errors, and sharing is never worse than requantizing here.
run $quantize -o groups.onnx --json
need_json
json 'len(r["groups"]) > 10 and all(g["ratio"] >= 1 for g in r["groups"])'
json 'all(g["error_shared"] <= g["error_requantized"] for g in r["groups"])'

# Two fixed ranges in a group, and a typing error, are named.
cat >two.yaml <<'YAML'
layers: [{layer: model.4.conv, input: {amax: 1}}, {layer: model.5.conv, input: {amax: 2}}]
YAML
refuse 2 "'model.4.conv' and 'model.5.conv' share one input range" $quantize --quant-config two.yaml -o two.onnx
echo 'defaults: {types: {LSTM: {input: {num_bits: 8}}}}' >lstm.yaml
refuse 4 "'lstm.yaml' line 1: LSTM" $quantize --quant-config lstm.yaml -o lstm.onnx

# Undone: a file with float weights gives the float network back, to the bit.
run $quantize --float-weights -o float.onnx
expect_code 0
run export float.onnx --float -o undone.onnx
expect_code 0
run export "$model" --imgsz 96 -o fp32.onnx
expect_code 0
for file in undone fp32; do
    run run $file.onnx --input "$picture" --imgsz 96 --out-dir $file
    expect_code 0
done
cmp -s undone/output.npy fp32/output.npy || fail 'the undone network gives other values'
refuse 4 "as codes, not as float values" export plain.onnx --float -o none.onnx

# Every range given: no image is needed, and the file computes the same as with them.
ptq_small="$model --imgsz 64"
# shellcheck disable=SC2086
run quantize $ptq_small --data "$demo/shapes.yaml" --calib-images 2 --no-eval -o some.onnx --save-config saved.yaml
expect_code 0
sed -E 's/input: \{amax_method: mse\}(.*)amax ([0-9.e+-]+)/input: {amax: \2}\1amax \2/' saved.yaml >fixed.yaml
for data in "--data $demo/shapes.yaml --calib-images 2 -o with.onnx" '-o without.onnx'; do
    # shellcheck disable=SC2086
    run quantize $ptq_small --quant-config fixed.yaml --no-eval $data --json
    need_json
    json 'r["quantized_layers"] == 89'
done
for file in with without; do
    run run $file.onnx --input "$demo/images/val2017/000000000152.jpg" --imgsz 64 --out-dir $file
    expect_code 0
done
cmp -s with/output.npy without/output.npy || fail 'images changed what was fixed'
refuse 2 "needs --data FILE to measure with, or --no-eval" quantize "$model" --quant-config fixed.yaml -o x.onnx
# shellcheck disable=SC2086
refuse 2 'this target computes on codes throughout' quantize $ptq_small --quant-config fixed.yaml --no-eval --target onnxruntime -o x.onnx
sed -i "s/^\(  - {layer: 'model.2.conv'.*\)input: {amax: [0-9.]*}/\1input: {amax_method: mse}/" fixed.yaml
# shellcheck disable=SC2086
refuse 2 "no amax is given for the input of layer 'model.2.conv'" quantize $ptq_small --quant-config fixed.yaml --no-eval -o x.onnx

# Where every range is given no images are needed; for ONNX Runtime those in front of activations count too.
python3 "$SOURCE/tests/lib/small_onnx.py" classifier small.onnx || fail 'making a file'
printf 'layers:\n  - {match: ".*", input: {amax: 2.5}}\n' >fixed.yaml
run quantize small.onnx --quant-config fixed.yaml --no-eval -o fixed.onnx
expect_code 0
run quantize small.onnx --quant-config fixed.yaml --no-eval --target onnxruntime -o fixed.ort.onnx --json
need_json
run info fixed.ort.onnx --quant --json
need_json
json 'len(r["quantizers"]) >= 3 and all(abs(q["input"]["scale"] - 5 / 255) < 1e-6 for q in r["quantizers"])'
refuse 2 "where --quant-config gives every range, 'ptq quantize' with --no-eval needs neither" \
    calibrate small.onnx --quant-config fixed.yaml -o none.json
refuse 2 'this target computes on codes throughout, also in front of activations' quantize "$model" --imgsz 96 \
    --quant-config fixed.yaml --quantize-head --no-eval --target onnxruntime -o silu.onnx
