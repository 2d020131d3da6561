#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A wrong command line: exit code 2, a sentence that helps, nothing on standard output, nothing done.
. "$SOURCE/tests/lib/cli.sh" || exit 1
touch m.pt d.yaml

# commands
refuse 2 "did you mean 'quantize'?" quantise m.pt
refuse 2 "did you mean 'eval'?" val m.pt
refuse 2 "unknown command 'frobnicate'" frobnicate
refuse 2 "unknown option '--json' before the command" --json info m.pt
refuse 2 "unknown command 'nonsense'" help nonsense

# options
refuse 2 "unknown option '--no-such-option'" info --no-such-option m.pt
refuse 2 "did you mean '--imgsz'?" eval m.pt --imgz 640
refuse 2 "did you mean '--imgsz'?" eval m.pt --img-size 640
refuse 2 "did you mean '--calib-images'?" quantize m.pt --calib_images 3
refuse 2 "did you mean '--no-rect'?" eval m.pt --no-rekt
refuse 2 "did you mean '--data coco.yaml'?" eval m.pt data=coco.yaml
refuse 2 "did you mean '--imgsz 320'?" eval m.pt img_size=320
refuse 2 "unknown option '-z'" info m.pt -z
refuse 2 "--json takes no value" info m.pt --json=1

# values
refuse 2 "--imgsz needs a whole number, not 'abc'" eval m.pt --imgsz abc
refuse 2 "--imgsz cannot be 5; it is between 32 and 8192" eval m.pt --imgsz 5
refuse 2 "--imgsz cannot be 99999999999999999999" eval m.pt --imgsz 99999999999999999999
refuse 2 "--limit cannot be -1; it is at least 0" eval m.pt --limit -1
refuse 2 "--conf cannot be 2; it is between 0 and 1" eval m.pt --conf 2
refuse 2 "--conf needs a number, not 'nan'" eval m.pt --conf nan
refuse 2 "--data needs a value" eval m.pt --data --imgsz 640
refuse 2 "--data needs a value" eval m.pt --data
refuse 2 "--data needs a value, not ''" eval m.pt --data ''
refuse 2 "did you mean 'mse'?" quantize m.pt --calib mxe
refuse 2 "it is one of max, percentile, entropy, mse" quantize m.pt --calib kullback
refuse 2 "did you mean 'tensorrt10'?" quantize m.pt --target trt10
refuse 2 "did you mean 'onnxruntime'?" quantize m.pt --target ort
refuse 2 "did you mean 'entropy'?" quantize m.pt --calib kl
refuse 2 "did you mean '--data d.yaml'?" quantize m.pt d.yaml
refuse 2 "unexpected 'd.yaml'; 'info' takes MODEL alone" info m.pt d.yaml
refuse 2 "--precision cannot be 'fp64'" bench m.pt --precision fp32,fp64
refuse 2 "--batch needs a whole number or dynamic" export m.pt --batch many
refuse 2 "--max-bytes needs a whole number such as 500M or 4G" info m.pt --max-bytes 3T
refuse 2 "--max-bytes cannot be 99999999999G" info m.pt --max-bytes 99999999999G
refuse 2 "--seed needs a whole number" info m.pt --seed -1

# a wrong value is answered with the option's own help line
run eval m.pt --imgsz 5
expect_err '--imgsz N'
[ "$(wc -l <err)" = 2 ] || fail "a usage error has two lines"

# operands and what a command cannot do without
refuse 2 "'quantize' needs MODEL" quantize --data d.yaml
refuse 2 "'quantize' needs --data FILE" quantize m.pt
refuse 2 "'eval' needs --data FILE" eval m.pt
refuse 2 "'eval' needs a MODEL, or --detections FILE" eval
refuse 2 "needs --annotations FILE" eval --detections d.json
refuse 2 "leave out 'm.pt'" eval m.pt --detections d.json --annotations a.json
refuse 2 "'compare' needs A B" compare m.pt --data d.yaml
refuse 2 "'compare' needs --data FILE or --input FILE" compare m.pt m.pt
refuse 2 "'run' needs --input FILE" run m.pt
refuse 2 "'list' needs -o FILE" list .
refuse 2 "'info' needs a MODEL, or --kernels" info
refuse 2 "takes no MODEL" info --kernels m.pt
refuse 2 "unexpected 'b.pt'" info m.pt b.pt

# the environment is an option, too
export PTQ_THREADS=many
refuse 2 "environment variable PTQ_THREADS" info m.pt
run info --help
expect_code 0
export PTQ_THREADS= PTQ_CPU=avx3
refuse 2 "environment variable PTQ_CPU" info m.pt
unset PTQ_THREADS PTQ_CPU


# what begins with a dash is an operand after --
refuse 3 "--strange.pt" info -- --strange.pt

[ "$(ls | sort | tr '\n' ' ')" = "d.yaml err m.pt out " ] || fail "something was written: $(ls)"
