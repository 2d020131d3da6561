/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/png.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <png.h>

#include "formats/exif.h"

/* What a chunk before the pixels (a text, a colour profile) may occupy. */
enum { MAX_CHUNK_BYTES = 16 << 20, MAX_CHUNKS = 1000 };

/* All that needs release when libpng reports an error, from which it must not return. */
typedef struct png_job {
    png_structp png;
    png_infop info;
    jmp_buf back;
    image pixels;
    bool is_writer;
    ptq_status status;
    ptq_error *err;
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);
    if (job->is_writer)
        job->status = error_set(job->err, PTQ_IO, "PNG: %s", text);
    else
        job->status = error_set(job->err, PTQ_FORMAT, "malformed PNG: %s", text);
    longjmp(job->back, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void begin_reading(png_job *job, FILE *f)
{
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (!job->info) {
        job->status = error_no_memory(job->err, sizeof *job, "a PNG reader");
        return;
    }
    png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(job->png, MAX_CHUNK_BYTES);
    png_set_chunk_cache_max(job->png, MAX_CHUNKS);
    png_init_io(job->png, f);
    png_read_info(job->png, job->info);
}

static int find_orientation(png_job *job)
{
    png_uint_32 n = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(job->png, job->info, &n, &exif) == 0 || !exif)
        return 1;
    return exif_orientation(exif, n);
}

static void read_pixels(png_job *job)
{
    png_structp png = job->png;
    png_uint_32 width = png_get_image_width(png, job->info);
    png_uint_32 height = png_get_image_height(png, job->info);
    job->status = image_create((int)width, (int)height, &job->pixels, job->err);
    if (job->status != PTQ_OK)
        return;
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
    int n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
    size_t row_bytes = (size_t)width * 3;
    if (png_get_rowbytes(png, job->info) != row_bytes)
        png_error(png, "its rows do not become 8-bit RGB");
    for (int pass = 0; pass < n_passes; pass++)
        for (png_uint_32 y = 0; y < height; y++)
            png_read_row(png, job->pixels.pixels + y * row_bytes, NULL);
    png_read_end(png, job->info);
}

/* The functions that call setjmp() have no variables of their own: those would be lost. */
static void try_probe(png_job *job, FILE *f)
{
    if (setjmp(job->back) == 0)
        begin_reading(job, f);
}

static void try_decode(png_job *job, FILE *f)
{
    if (setjmp(job->back) == 0) {
        begin_reading(job, f);
        if (job->status == PTQ_OK)
            read_pixels(job);
    }
}

ptq_status png_file_decode(FILE *f, image *out, int *orientation, ptq_error *err)
{
    png_job job = {.err = err};
    try_decode(&job, f);
    if (job.status == PTQ_OK) {
        *orientation = find_orientation(&job);
        *out = job.pixels;
    } else {
        image_clear(&job.pixels);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    return job.status;
}

/* Whether a chunk eXIf stands anywhere; the picture's data are leapt over. */
static bool has_exif(FILE *f)
{
    enum { SIGNATURE = 8, CHECKSUM = 4 };
    unsigned char head[8];
    long length = 0;
    if (fseek(f, SIGNATURE, SEEK_SET) != 0)
        return false;
    while (fread(head, sizeof head, 1, f) == 1) {
        if (memcmp(head + 4, "eXIf", 4) == 0)
            return true;
        length = (long)png_get_uint_32(head);
        if (length > (long)PNG_UINT_31_MAX || fseek(f, length + CHECKSUM, SEEK_CUR) != 0)
            return false;
    }
    return false;
}

/* Behind the picture's data it is found where it counts only: in a picture that can be read. */
static int late_orientation(FILE *f)
{
    image ignored = {0};
    int orientation = 1;
    if (!has_exif(f) || fseek(f, 0, SEEK_SET) != 0)
        return 1;
    if (png_file_decode(f, &ignored, &orientation, NULL) == PTQ_OK)
        image_clear(&ignored);
    return orientation;
}

ptq_status png_file_probe(FILE *f, image_header *out, ptq_error *err)
{
    png_job job = {.err = err};
    try_probe(&job, f);
    if (job.status == PTQ_OK)
        *out =
            (image_header){(int)png_get_image_width(job.png, job.info),
                           (int)png_get_image_height(job.png, job.info),
                           png_get_valid(job.png, job.info, PNG_INFO_eXIf) ? find_orientation(&job)
                                                                           : late_orientation(f)};
    png_destroy_read_struct(&job.png, &job.info, NULL);
    return job.status;
}

static void write_pixels(png_job *job, FILE *f, const image *i)
{
    job->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (!job->info) {
        job->status = error_no_memory(job->err, sizeof *job, "a PNG writer");
        return;
    }
    png_init_io(job->png, f);
    png_set_IHDR(job->png, job->info, (png_uint_32)i->width, (png_uint_32)i->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (int y = 0; y < i->height; y++)
        png_write_row(job->png, i->pixels + (size_t)y * (size_t)i->width * 3);
    png_write_end(job->png, job->info);
}

static void try_encode(png_job *job, FILE *f, const image *i)
{
    if (setjmp(job->back) == 0)
        write_pixels(job, f, i);
}

ptq_status png_file_encode(FILE *f, const image *i, ptq_error *err)
{
    png_job job = {.is_writer = true, .err = err};
    try_encode(&job, f, i);
    png_destroy_write_struct(&job.png, &job.info);
    return job.status;
}
