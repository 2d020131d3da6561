/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/jpeg.h"
#include "formats/png.h"

static ptq_status check_size(int width, int height, ptq_error *err)
{
    if (width <= 0 || height <= 0)
        return error_set(err, PTQ_FORMAT, "a picture of %d x %d pixels", width, height);
    if ((int64_t)width * height > IMAGE_MAX_PIXELS)
        return error_set(err, PTQ_LIMIT, "%d x %d pixels are more than the limit of %d", width,
                         height, IMAGE_MAX_PIXELS);
    return PTQ_OK;
}

ptq_status image_create(int width, int height, image *out, ptq_error *err)
{
    PTQ_TRY(check_size(width, height, err));
    size_t bytes = (size_t)width * (size_t)height * 3;
    unsigned char *pixels = mem_alloc_aligned(bytes);
    if (!pixels)
        return error_no_memory(err, bytes, "a picture");
    *out = (image){width, height, pixels};
    return PTQ_OK;
}

void image_clear(image *i)
{
    mem_free(i->pixels);
    *i = (image){0};
}

ptq_status image_orient(image *i, int orientation, ptq_error *err)
{
    if (orientation < 2 || orientation > 8)
        return PTQ_OK;
    /* Orientations 5 to 8 lie on their side. The upright pixel (x, y) comes from column y and row x
     * of such a picture, and then from the far end where an axis is mirrored. */
    bool is_transposed = orientation >= 5;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int width = is_transposed ? i->height : i->width;
    int height = is_transposed ? i->width : i->height;
    image turned;
    PTQ_TRY(image_create(width, height, &turned, err));
    unsigned char *dst = turned.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, dst += 3) {
            int sx = is_transposed ? y : x, sy = is_transposed ? x : y;
            sx = mirror_x ? i->width - 1 - sx : sx;
            sy = mirror_y ? i->height - 1 - sy : sy;
            memcpy(dst, i->pixels + ((size_t)sy * (size_t)i->width + (size_t)sx) * 3, 3);
        }
    image_clear(i);
    *i = turned;
    return PTQ_OK;
}

typedef enum image_kind { KIND_JPEG, KIND_PNG } image_kind;

static ptq_status sniff(FILE *f, image_kind *kind, ptq_error *err)
{
    unsigned char lead[8] = {0};
    size_t n = fread(lead, 1, sizeof lead, f);
    if (ferror(f))
        return error_set(err, PTQ_IO, "%s", strerror(errno));
    rewind(f);
    if (n >= 3 && memcmp(lead, "\xff\xd8\xff", 3) == 0)
        *kind = KIND_JPEG;
    else if (n == 8 && memcmp(lead, "\x89PNG\r\n\x1a\n", 8) == 0)
        *kind = KIND_PNG;
    else if (n == 0)
        return error_set(err, PTQ_FORMAT, "the file is empty");
    else
        return error_set(err, PTQ_UNSUPPORTED,
                         "neither a JPEG nor a PNG file; convert it to one of them");
    return PTQ_OK;
}

static ptq_status open_picture(const char *path, FILE **f, image_kind *kind, ptq_error *err)
{
    FILE *opened = fopen(path, "rb");
    if (!opened)
        return error_set(err, PTQ_IO, "%s", strerror(errno));
    struct stat st;
    ptq_status status = PTQ_OK;
    if (fstat(fileno(opened), &st) != 0 || !S_ISREG(st.st_mode))
        status = error_set(err, PTQ_IO, "%s",
                           S_ISDIR(st.st_mode) ? "it is a folder; name one picture in it"
                                               : "not a regular file");
    else if (st.st_size > IMAGE_MAX_FILE_BYTES)
        status = error_set(err, PTQ_LIMIT, "%lld bytes are more than the limit of %d",
                           (long long)st.st_size, IMAGE_MAX_FILE_BYTES);
    else
        status = sniff(opened, kind, err);
    if (status == PTQ_OK)
        *f = opened;
    else
        fclose(opened);
    return status;
}

static ptq_status decode_file(const char *path, image *out, ptq_error *err)
{
    FILE *f;
    image_kind kind;
    PTQ_TRY(open_picture(path, &f, &kind, err));
    image decoded = {0};
    int orientation = 1;
    ptq_status status = kind == KIND_JPEG ? jpeg_file_decode(f, &decoded, &orientation, err)
                                          : png_file_decode(f, &decoded, &orientation, err);
    fclose(f);
    if (status == PTQ_OK)
        status = image_orient(&decoded, orientation, err);
    if (status == PTQ_OK)
        *out = decoded;
    else
        image_clear(&decoded);
    return status;
}

ptq_status image_read(const char *path, image *out, ptq_error *err)
{
    ptq_status status = decode_file(path, out, err);
    if (status != PTQ_OK)
        error_context(err, "cannot read the picture '%s'", path);
    return status;
}

ptq_status image_probe(const char *path, image_header *out, ptq_error *err)
{
    FILE *f;
    image_kind kind;
    ptq_status status = open_picture(path, &f, &kind, err);
    image_header header = {0};
    if (status == PTQ_OK) {
        status =
            kind == KIND_JPEG ? jpeg_file_probe(f, &header, err) : png_file_probe(f, &header, err);
        fclose(f);
    }
    if (status == PTQ_OK)
        status = check_size(header.width, header.height, err);
    if (status != PTQ_OK)
        error_context(err, "cannot read the picture '%s'", path);
    else
        *out = header;
    return status;
}

ptq_status image_write(const char *path, const image *i, ptq_error *err)
{
    const char *suffix = strrchr(path_base(path), '.');
    bool is_png = suffix && strcasecmp(suffix, ".png") == 0;
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    ptq_status status =
        is_png ? png_file_encode(out.stream, i, err) : jpeg_file_encode(out.stream, i, 95, err);
    if (status == PTQ_OK)
        return file_out_commit(&out, err);
    error_context(err, "cannot write the picture '%s'", path);
    file_out_abort(&out);
    return status;
}
