/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"

#if defined(__aarch64__)
static const char *const CPUS[] = {"ref", "neon", "dotprod", "native", NULL};
#else
static const char *const CPUS[] = {"ref",        "avx2",   "avx512", "avx512vnni",
                                   "avx512bf16", "native", NULL};
#endif
static const char *const COLORS[] = {"auto", "always", "never", NULL};
static const char *const WEIGHTS[] = {"ema", "model", NULL};
static const char *const FAMILIES[] = {"auto", "yolov7", "yolox", "yolov8", NULL};
static const char *const HEADS[] = {"decoded", "raw", "nms", NULL};
static const char *const CALIBS[] = {"max", "percentile", "entropy", "mse", NULL};
static const char *const COMPATS[] = {"pytorch", NULL};
const char *const PRECISIONS[] = {"auto", "fp32", "fp16", "bf16", "int8", NULL};

static const option GENERAL_OPTIONS[] = {
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = offsetof(general_args, json),
     .is_common = true,
     .brief = "one JSON document instead of the table",
     .help = "print one JSON document instead of the table"},
    {.name = "threads",
     .letter = 'j',
     .type = OPTION_INT,
     .offset = offsetof(general_args, threads),
     .value = "N",
     .max = 1024,
     .preset = "all cores",
     .help = "threads to compute with; also PTQ_THREADS"},
    {.name = "cpu",
     .type = OPTION_CHOICE,
     .offset = offsetof(general_args, cpu),
     .value = "LEVEL",
     .choices = CPUS,
     .preset = "native",
     .help = "highest instruction set to use: ref, avx2, avx512, avx512vnni, avx512bf16 or native; "
             "on aarch64 ref, neon, dotprod or native; also PTQ_CPU"},
    {.name = "without",
     .type = OPTION_TEXT,
     .offset = offsetof(general_args, without),
     .value = "FUSION,...",
     .help = "compute without these fusions, to see what each brings: activation, requantize, "
             "movement, concat, winograd, decode"},
    {.name = "seed",
     .type = OPTION_SEED,
     .offset = offsetof(general_args, seed),
     .value = "N",
     .help = "for everything that draws"},
    {.name = "quiet",
     .letter = 'q',
     .type = OPTION_COUNT,
     .offset = offsetof(general_args, quiet),
     .help = "no warnings and no progress"},
    {.name = "verbose",
     .letter = 'v',
     .type = OPTION_COUNT,
     .offset = offsetof(general_args, verbose),
     .help = "say what is done; -vv: in detail, and where in the source an error comes from"},
    {.name = "progress",
     .type = OPTION_SWITCH,
     .offset = offsetof(general_args, progress),
     .preset = "on a terminal",
     .help = "a line that shows how far it is"},
    {.name = "color",
     .type = OPTION_CHOICE,
     .offset = offsetof(general_args, color),
     .choices = COLORS,
     .help = "color in messages; auto obeys NO_COLOR"},
    OPTIONS_END,
};

const option_group GENERAL_GROUP = {"General", GENERAL_OPTIONS, 0};

const option MODEL_OPTIONS[] = {
    {.name = "weights",
     .type = OPTION_CHOICE,
     .offset = offsetof(ptq_load_options, weights),
     .choices = WEIGHTS,
     .preset = "ema when it is there",
     .help = "which weights of a checkpoint"},
    {.name = "cfg",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_load_options, cfg),
     .value = "FILE",
     .help = "build the network from this yolov7.yaml and load the checkpoint's weights by name"},
    {.name = "family",
     .type = OPTION_CHOICE,
     .offset = offsetof(ptq_load_options, family),
     .value = "NAME",
     .choices = FAMILIES,
     .preset = "auto",
     .help = "yolov7 (and YOLOv5), yolox or yolov8: how pictures go in and boxes come out; auto "
             "recognises it"},
    {.name = "max-bytes",
     .type = OPTION_SIZE,
     .offset = offsetof(ptq_load_options, max_bytes),
     .value = "SIZE",
     .preset = "4G",
     .help = "refuse larger files and tensors"},
    {.name = "max-depth",
     .type = OPTION_SIZE,
     .offset = offsetof(ptq_load_options, max_depth),
     .value = "N",
     .preset = "1000",
     .help = "refuse checkpoints nested deeper"},
    OPTIONS_END,
};

const option DATA_OPTIONS[] = {
    {.name = "data",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_data_options, yaml),
     .value = "FILE",
     .is_common = true,
     .brief = "data yaml, or a folder of pictures",
     .help = "data yaml: train, val, nc, names; or a folder of pictures"},
    {.name = "data-root",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_data_options, root),
     .value = "DIR",
     .help = "where the images are when the lists say otherwise (D:\\..., another machine)"},
    {.name = "imgsz",
     .type = OPTION_INT,
     .offset = offsetof(ptq_data_options, image_size),
     .value = "N",
     .min = 32,
     .max = 8192,
     .is_common = true,
     .help = "size that images are letterboxed to"},
    {.name = "single-cls",
     .type = OPTION_FLAG,
     .offset = offsetof(ptq_data_options, single_class),
     .help = "all labels are one class"},
    OPTIONS_END,
};

const option BATCH_OPTIONS[] = {
    {.name = "batch",
     .type = OPTION_INT,
     .offset = offsetof(ptq_data_options, batch),
     .value = "N",
     .min = 1,
     .max = 1024,
     .help = "images per batch; they share one rectangle"},
    OPTIONS_END,
};

const option FORM_OPTIONS[] = {
    {.name = "batch",
     .type = OPTION_INT,
     .offset = offsetof(ptq_form_options, batch),
     .value = "N|dynamic",
     .min = 1,
     .max = 1024,
     .word = "dynamic",
     .help = "images per run of the file"},
    {.name = "head",
     .type = OPTION_CHOICE,
     .offset = offsetof(ptq_form_options, head),
     .choices = HEADS,
     .is_common = true,
     .brief = "boxes and scores, maps, or detections",
     .help = "what the file gives: decoded boxes and scores, the raw maps of each level, or nms: "
             "detections"},
    {.name = "conf",
     .type = OPTION_NUMBER,
     .offset = offsetof(ptq_form_options, conf),
     .value = "X",
     .max = 1,
     .help = "lowest score of a detection, with --head nms"},
    {.name = "iou",
     .type = OPTION_NUMBER,
     .offset = offsetof(ptq_form_options, iou),
     .value = "X",
     .max = 1,
     .help = "overlap above which the lower score goes, with --head nms"},
    {.name = "max-det",
     .type = OPTION_INT,
     .offset = offsetof(ptq_form_options, max_det),
     .value = "N",
     .min = 1,
     .max = 1e6,
     .help = "detections of an image at most, with --head nms"},
    {.name = "external-data",
     .type = OPTION_FLAG,
     .offset = offsetof(ptq_form_options, external_data),
     .help = "weights in a file of their own, NAME.onnx.data, as always beyond 2 GiB"},
    OPTIONS_END,
};

const option SPLIT_OPTIONS[] = {
    {.name = "split",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_data_options, split),
     .value = "NAME",
     .help = "list of the data yaml"},
    OPTIONS_END,
};

const option LIMIT_OPTIONS[] = {
    {.name = "limit",
     .type = OPTION_INT,
     .offset = offsetof(ptq_data_options, limit),
     .value = "N",
     .max = 1e9,
     .preset = "all",
     .is_common = true,
     .help = "score the first N images of the list"},
    OPTIONS_END,
};

const option PROTOCOL_OPTIONS[] = {
    {.name = "rect",
     .type = OPTION_SWITCH,
     .offset = offsetof(ptq_data_options, rect),
     .help = "rectangular batches, as YOLOv7's test.py; a file with a fixed size ignores it"},
    {.name = "pad",
     .type = OPTION_NUMBER,
     .offset = offsetof(ptq_data_options, pad),
     .value = "X",
     .max = 8,
     .help = "padding of rectangular batches, in strides"},
    {.name = "stride",
     .type = OPTION_INT,
     .offset = offsetof(ptq_data_options, stride),
     .value = "N",
     .min = 1,
     .max = 1024,
     .help = "rectangular shapes are multiples of it"},
    {.name = "annotations",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_data_options, annotations),
     .value = "FILE",
     .help = "COCO instances, instead of those the data yaml names"},
    OPTIONS_END,
};

const option METHOD_OPTIONS[] = {
    {.name = "calib",
     .type = OPTION_ENUM,
     .offset = offsetof(ptq_quant_options, calib),
     .value = "METHOD",
     .choices = CALIBS,
     .is_common = true,
     .brief = "max, percentile, entropy or mse",
     .help = "how ranges are found: max, percentile, entropy or mse"},
    {.name = "calib-from",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_quant_options, calib_from),
     .value = "FILE",
     .help = "ranges that 'ptq calibrate' wrote, instead of a data pass"},
    OPTIONS_END,
};

const option RANGE_OPTIONS[] = {
    {.name = "calib-images",
     .type = OPTION_INT,
     .offset = offsetof(ptq_quant_options, calib_images),
     .value = "N",
     .max = 1e9,
     .preset = "300; 260 with --compat pytorch",
     .is_common = true,
     .help = "the first N images of the training list"},
    {.name = "calib-batch",
     .type = OPTION_INT,
     .offset = offsetof(ptq_quant_options, calib_batch),
     .value = "N",
     .max = 1e6,
     .preset = "4; with --compat pytorch 10 while they have 2 million pixels at most",
     .help = "images at a time; decides the ranges only with --compat pytorch"},
    {.name = "shuffle",
     .type = OPTION_FLAG,
     .offset = offsetof(ptq_quant_options, shuffle),
     .help = "draw the calibration images by --seed"},
    {.name = "percentile",
     .type = OPTION_NUMBER,
     .offset = offsetof(ptq_quant_options, percentile),
     .value = "X",
     .min = 50,
     .max = 100,
     .help = "share of the values that stay inside the range"},
    {.name = "compat",
     .type = OPTION_MODE,
     .offset = offsetof(ptq_quant_options, compat_pytorch),
     .choices = COMPATS,
     .help = "collect and search as pytorch-quantization does"},
    OPTIONS_END,
};

const option PLACE_OPTIONS[] = {
    {.name = "exclude",
     .type = OPTION_TEXTS,
     .offset = offsetof(ptq_quant_options, exclude),
     .value = "REGEX",
     .is_common = true,
     .brief = "keep layers named like this in 16 bit",
     .help = "keep layers whose name begins like this in 16 bit; may be given again"},
    {.name = "quant-config",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_quant_options, config),
     .value = "FILE",
     .help = "quant.yaml: descriptors by type, by layer and by tensor"},
    {.name = "share-scales",
     .type = OPTION_TRISTATE,
     .offset = offsetof(ptq_quant_options, share_scales),
     .preset = "as the target likes",
     .help = "one scale for tensors that meet in a Concat, MaxPool, Resize or Add"},
    {.name = "residual",
     .type = OPTION_TRISTATE,
     .offset = offsetof(ptq_quant_options, residual),
     .preset = "as the target likes",
     .help = "quantize the residual input of an Add"},
    {.name = "quantize-head",
     .type = OPTION_FLAG,
     .offset = offsetof(ptq_quant_options, quantize_head),
     .help = "the detector's output convolutions, too"},
    OPTIONS_END,
};

const option SAVE_OPTIONS[] = {
    {.name = "save-config",
     .type = OPTION_TEXT,
     .offset = offsetof(ptq_quant_options, save_config),
     .value = "FILE",
     .help = "write what is inserted as quant.yaml, to edit and to give back"},
    OPTIONS_END,
};

static ptq_status io_error(ptq_error *err, const char *before, const char *path, const char *after)
{
    usage_error(err, "%s '%.900s'%s", before, path, after);
    err->code = PTQ_IO;
    return PTQ_IO;
}

ptq_status cli_check_output(const char *path, const char *input, bool force, ptq_error *err)
{
    if (!path)
        return PTQ_OK;
    struct stat out, in;
    if (stat(path, &out) == 0) {
        if (input && stat(input, &in) == 0 && in.st_ino == out.st_ino && in.st_dev == out.st_dev)
            return usage_error(err, "'%.900s' is the input itself; choose another output", path);
        if (S_ISDIR(out.st_mode))
            return io_error(err, "cannot write", path, ": it is a folder");
        if (!force && S_ISREG(out.st_mode))
            return io_error(err, "output", path, " exists; use --force to replace it");
        return PTQ_OK;
    }
    const char *slash = strrchr(path, '/');
    char folder[4096];
    int n = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    snprintf(folder, sizeof folder, "%.*s", n, slash ? path : ".");
    if (stat(folder, &out) != 0 || !S_ISDIR(out.st_mode))
        return io_error(err, "cannot write", path, ": its folder does not exist");
    if (access(folder, W_OK) != 0)
        return io_error(err, "cannot write", path, ": its folder is read-only");
    return PTQ_OK;
}

/* Whether the name says another kind of file. */
static bool is_named_otherwise(const char *path)
{
    static const char *const others[] = {".pt",   ".pth",  ".engine", ".plan",
                                         ".json", ".yaml", ".npy"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t k = strlen(others[i]);
        if (n > k && strcmp(path + n - k, others[i]) == 0)
            return true;
    }
    return false;
}

ptq_status cli_check_model_output(const char *path, const char *input, bool force,
                                  const ptq_form_options *form, ptq_error *err)
{
    ptq_status status = cli_check_output(path, input, force, err);
    if (status || !path)
        return status;
    if (is_named_otherwise(path))
        return usage_error(err, "'%.900s' would be an ONNX file; end its name in .onnx", path);
    if (!form->external_data)
        return PTQ_OK;
    char data[4096];
    snprintf(data, sizeof data, "%.4000s.data", path);
    return cli_check_output(data, input, force, err);
}

void cli_default_output(const char *input, const char *suffix, char *out, size_t size)
{
    const char *slash = strrchr(input, '/');
    const char *base = slash ? slash + 1 : input;
    const char *dot = strrchr(base, '.');
    int n = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    snprintf(out, size, "%.*s%s", n, base, suffix);
}

ptq_status cli_require(const char *who, const char *what, const char *value, ptq_error *err)
{
    return value ? PTQ_OK : usage_error(err, "'%s' needs %s", who, what);
}

ptq_status cli_load(const cli *c, int operand, const ptq_load_options *load, int image_size,
                    ptq_model **out, ptq_error *err)
{
    ptq_load_options o = *load;
    o.image_size = image_size;
    return ptq_model_load(c->operands[operand], &o, c->env, out, err);
}
