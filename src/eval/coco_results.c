/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_results.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/json_stream.h"

enum { BOX_DECIMALS = 3, SCORE_DECIMALS = 5 };
static const float SANE = 1e9f; /* pixels */

static double power_of_ten(int n)
{
    return n == BOX_DECIMALS ? 1e3 : 1e5;
}

/* Python's round(float(v), decimals). A float32 times 10^5 is exact in double, rint() takes ties to
 * even, and the quotient of two integers is the double nearest to the decimal. */
static double round_decimal(float v, int decimals)
{
    if (!(fabsf(v) < SANE))
        return 0;
    return rint((double)v * power_of_ten(decimals)) / power_of_ten(decimals);
}

/* The box goes through centre and size, in float32, as xyxy2xywh and back: left and top may differ
 * from x1 and y1 in the last bit. */
coco_det coco_det_of(const detection *d, int image, int category)
{
    float cx = (d->x1 + d->x2) / 2, cy = (d->y1 + d->y2) / 2;
    float w = d->x2 - d->x1, h = d->y2 - d->y1;
    return (coco_det){
        .x = round_decimal(cx - w / 2, BOX_DECIMALS),
        .y = round_decimal(cy - h / 2, BOX_DECIMALS),
        .w = round_decimal(w, BOX_DECIMALS),
        .h = round_decimal(h, BOX_DECIMALS),
        .score = round_decimal(d->score, SCORE_DECIMALS),
        .image = image,
        .category = category,
    };
}

/* The shortest digits, at least one after the point: "258.0", "-0.0", "31.275". */
static void write_decimal(FILE *f, double v, int decimals)
{
    double scaled = rint(fabs(v) * power_of_ten(decimals));
    uint64_t unit = (uint64_t)power_of_ten(decimals), n = (uint64_t)scaled;
    uint64_t fraction = n % unit;
    while (decimals > 1 && fraction % 10 == 0) {
        fraction /= 10;
        decimals--;
    }
    fprintf(f, "%s%" PRIu64 ".%0*" PRIu64, signbit(v) ? "-" : "", n / unit, decimals, fraction);
}

static void write_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void write_one(FILE *f, const coco_results *r, const coco_det *d)
{
    const coco_name *image = &r->images[d->image];
    fputs("{\"image_id\": ", f);
    if (image->text)
        write_text(f, image->text);
    else
        fprintf(f, "%" PRId64, image->id);
    fprintf(f, ", \"category_id\": %" PRId64 ", \"bbox\": [", r->category_ids[d->category]);
    const double box[4] = {d->x, d->y, d->w, d->h};
    for (int i = 0; i < 4; i++) {
        fputs(i ? ", " : "", f);
        write_decimal(f, box[i], BOX_DECIMALS);
    }
    fputs("], \"score\": ", f);
    write_decimal(f, d->score, SCORE_DECIMALS);
    fputc('}', f);
}

ptq_status coco_results_write(const char *path, const coco_results *r, ptq_error *err)
{
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    fputc('[', out.stream);
    for (size_t i = 0; i < r->n_dets; i++) {
        if (i > 0)
            fputs(", ", out.stream);
        write_one(out.stream, r, &r->dets[i]);
    }
    fputc(']', out.stream);
    return file_out_commit(&out, err);
}

typedef struct reader {
    json_stream *json;
    const coco_truth *truth;
    coco_det *dets;
    size_t n_dets, cap;
    size_t n_read, n_foreign; /* of a category the truth does not have */
} reader;

enum { HAS_IMAGE = 1, HAS_CATEGORY = 2, HAS_BBOX = 4, HAS_SCORE = 8 };

static ptq_status read_image_id(reader *r, int *image, ptq_error *err)
{
    json_kind kind;
    PTQ_TRY(json_peek(r->json, &kind, err));
    if (kind == JSON_STRING) {
        const char *stem;
        PTQ_TRY(json_read_string(r->json, &stem, err));
        *image = coco_truth_image_named(r->truth, stem);
        if (*image < 0)
            return json_error(
                r->json, PTQ_DATA, err,
                "the annotations have no image '%s'; they must belong to the same set", stem);
        return PTQ_OK;
    }
    int64_t id;
    PTQ_TRY(json_read_integer(r->json, &id, err));
    *image = coco_truth_image(r->truth, id);
    if (*image < 0)
        return json_error(r->json, PTQ_DATA, err,
                          "the annotations have no image with the id %" PRId64
                          "; they must belong to the same set",
                          id);
    return PTQ_OK;
}

static ptq_status read_member(reader *r, const char *key, coco_det *d, unsigned *has,
                              ptq_error *err)
{
    if (strcmp(key, "image_id") == 0) {
        *has |= HAS_IMAGE;
        return read_image_id(r, &d->image, err);
    }
    if (strcmp(key, "category_id") == 0) {
        int64_t id;
        *has |= HAS_CATEGORY;
        PTQ_TRY(json_read_integer(r->json, &id, err));
        d->category = coco_truth_category(r->truth, id);
        return PTQ_OK;
    }
    if (strcmp(key, "score") == 0) {
        *has |= HAS_SCORE;
        return json_read_number(r->json, &d->score, err);
    }
    if (strcmp(key, "bbox") == 0) {
        double v[4];
        *has |= HAS_BBOX;
        PTQ_TRY(json_read_numbers(r->json, v, 4, err));
        d->x = v[0];
        d->y = v[1];
        d->w = v[2];
        d->h = v[3];
        return PTQ_OK;
    }
    return json_skip(r->json, err);
}

static ptq_status read_detection(reader *r, ptq_error *err)
{
    coco_det d = {0};
    unsigned has = 0;
    const char *key;
    PTQ_TRY(json_begin_object(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_key(r->json, &key, err));
        if (!key)
            break;
        PTQ_TRY(read_member(r, key, &d, &has, err));
    }
    r->n_read++;
    static const char *const names[] = {"image_id", "category_id", "bbox", "score"};
    for (int i = 0; i < 4; i++)
        if (!(has >> i & 1))
            return json_error(r->json, PTQ_DATA, err, "detection %zu has no \"%s\"", r->n_read,
                              names[i]);
    if (d.category < 0) {
        r->n_foreign++;
        return PTQ_OK;
    }
    coco_det *dets = mem_grow(r->dets, &r->cap, r->n_dets + 1, sizeof *dets);
    if (!dets)
        return error_no_memory(err, r->n_dets * sizeof *dets, "the detections");
    r->dets = dets;
    dets[r->n_dets++] = d;
    return PTQ_OK;
}

static ptq_status read_list(reader *r, ptq_error *err)
{
    bool more;
    PTQ_TRY(json_begin_array(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_item(r->json, &more, err));
        if (!more)
            return json_end(r->json, err);
        PTQ_TRY(read_detection(r, err));
    }
}

ptq_status coco_results_read(const char *path, const coco_truth *truth, const ptq_env *env,
                             coco_det **dets, size_t *n_dets, ptq_error *err)
{
    reader r = {.truth = truth};
    ptq_status status = json_stream_open(path, &r.json, err);
    if (status == PTQ_OK)
        status = read_list(&r, err);
    json_stream_close(r.json);
    if (status != PTQ_OK) {
        mem_free(r.dets);
        error_context(err, "cannot read the detections");
        return status;
    }
    if (r.n_foreign)
        env_log(env, PTQ_LOG_WARNING,
                "%zu of %zu detections have a category the annotations do not list and are left "
                "out",
                r.n_foreign, r.n_read);
    *dets = r.dets;
    *n_dets = r.n_dets;
    return PTQ_OK;
}

ptq_status coco_score_files(const char *detections, const char *annotations, const ptq_env *env,
                            coco_scoring *out, ptq_error *err)
{
    coco_truth *truth = NULL;
    coco_det *dets = NULL;
    coco_scoring result = {0};
    ptq_status status = coco_truth_read(annotations, env, &truth, err);
    if (status == PTQ_OK)
        status = coco_results_read(detections, truth, env, &dets, &result.n_detections, err);
    if (status == PTQ_OK) {
        coco_input in = {truth, dets, result.n_detections, NULL, env_threads(env)};
        result.n_images = truth->n_images;
        status = coco_evaluate(&in, &result.scores, err);
    }
    coco_truth_destroy(truth);
    mem_free(dets);
    if (status == PTQ_OK)
        *out = result;
    return status;
}
