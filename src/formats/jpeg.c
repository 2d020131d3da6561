/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/jpeg.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "base/mem.h"
#include "formats/exif.h"

/* A small file may demand the decoding of thousands of progressive scans; real ones have ten. */
enum { MAX_SCANS = 500 };

/* libjpeg calls back with a pointer to its own struct, which is the first member of ours. After an
 * error it must not return: longjmp() goes back to the function that owns everything, and all that
 * needs release is in the job. */
typedef struct jpeg_job {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    struct jpeg_decompress_struct reader;
    struct jpeg_compress_struct writer;
    struct jpeg_progress_mgr progress;
    image pixels;
    unsigned char *cmyk_row;
    int orientation; /* as the header says; what follows the picture's data does not count */
    bool is_cut;     /* the file ended before its end marker */
    ptq_status status;
    ptq_error *err;
} jpeg_job;

static void on_error(j_common_ptr codec)
{
    jpeg_job *job = (jpeg_job *)(void *)codec->err;
    char text[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, text);
    if (codec->is_decompressor)
        job->status = error_set(job->err, PTQ_FORMAT, "malformed JPEG: %s", text);
    else
        job->status = error_set(job->err, PTQ_IO, "JPEG: %s", text);
    longjmp(job->back, 1);
}

/* level < 0: a warning; libjpeg would go on with made-up pixels. */
static void on_message(j_common_ptr codec, int level)
{
    jpeg_job *job = (jpeg_job *)(void *)codec->err;
    if (level >= 0)
        return;
    switch (codec->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
        return;
    case JWRN_JPEG_EOF:
        job->is_cut = true; /* harmless after the last row of a baseline picture */
        return;
    default:
        on_error(codec);
    }
}

static void on_progress(j_common_ptr codec)
{
    jpeg_job *job = (jpeg_job *)(void *)codec->err;
    if (codec->is_decompressor && job->reader.input_scan_number > MAX_SCANS) {
        job->status = error_set(job->err, PTQ_LIMIT, "the JPEG has more than %d scans", MAX_SCANS);
        longjmp(job->back, 1);
    }
}

static void print_nothing(j_common_ptr codec)
{
    (void)codec;
}

static void init_job(jpeg_job *job, ptq_error *err)
{
    *job = (jpeg_job){.err = err};
    job->reader.err = job->writer.err = jpeg_std_error(&job->manager);
    job->manager.error_exit = on_error;
    job->manager.emit_message = on_message;
    job->manager.output_message = print_nothing;
    job->progress.progress_monitor = on_progress;
}

static int saved_orientation(const struct jpeg_decompress_struct *reader)
{
    for (jpeg_saved_marker_ptr m = reader->marker_list; m; m = m->next)
        if (m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0)
            return exif_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

static void read_header(jpeg_job *job, FILE *f)
{
    jpeg_create_decompress(&job->reader);
    job->reader.progress = &job->progress;
    jpeg_stdio_src(&job->reader, f);
    jpeg_save_markers(&job->reader, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&job->reader, TRUE);
    job->orientation = saved_orientation(&job->reader);
}

/* OpenCV's rule for four components: each of C, M, Y is darkened by K. */
static void row_from_cmyk(unsigned char *rgb, const unsigned char *cmyk, int width)
{
    for (int x = 0; x < width; x++, rgb += 3, cmyk += 4) {
        int k = cmyk[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = (unsigned char)(k - (((255 - cmyk[c]) * k) >> 8));
    }
}

static void read_pixels(jpeg_job *job)
{
    struct jpeg_decompress_struct *reader = &job->reader;
    bool is_cmyk = reader->num_components == 4;
    reader->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    job->status =
        image_create((int)reader->image_width, (int)reader->image_height, &job->pixels, job->err);
    size_t row_bytes = (size_t)reader->image_width * 3;
    if (job->status == PTQ_OK && is_cmyk) {
        job->cmyk_row = mem_array(reader->image_width, 4);
        if (!job->cmyk_row)
            job->status = error_no_memory(job->err, row_bytes, "a row of a picture");
    }
    if (job->status != PTQ_OK)
        return;
    jpeg_start_decompress(reader);
    while (reader->output_scanline < reader->output_height) {
        unsigned char *rgb = job->pixels.pixels + reader->output_scanline * row_bytes;
        unsigned char *row = is_cmyk ? job->cmyk_row : rgb;
        jpeg_read_scanlines(reader, &row, 1);
        if (is_cmyk)
            row_from_cmyk(rgb, row, job->pixels.width);
    }
    /* A progressive picture is refined to the end of the file: cut, it is only a coarse one. */
    if (job->is_cut && reader->progressive_mode)
        job->status = error_set(job->err, PTQ_FORMAT, "malformed JPEG: the file ends early");
}

/* The functions that call setjmp() have no variables of their own: those would be lost. */
static void try_probe(jpeg_job *job, FILE *f)
{
    if (setjmp(job->back) == 0)
        read_header(job, f);
}

static void try_decode(jpeg_job *job, FILE *f)
{
    if (setjmp(job->back) == 0) {
        read_header(job, f);
        read_pixels(job);
    }
}

ptq_status jpeg_file_decode(FILE *f, image *out, int *orientation, ptq_error *err)
{
    jpeg_job job;
    init_job(&job, err);
    try_decode(&job, f);
    if (job.status == PTQ_OK) {
        *orientation = job.orientation;
        *out = job.pixels;
    } else {
        image_clear(&job.pixels);
    }
    mem_free(job.cmyk_row);
    jpeg_destroy_decompress(&job.reader);
    return job.status;
}

ptq_status jpeg_file_probe(FILE *f, image_header *out, ptq_error *err)
{
    jpeg_job job;
    init_job(&job, err);
    try_probe(&job, f);
    if (job.status == PTQ_OK)
        *out = (image_header){(int)job.reader.image_width, (int)job.reader.image_height,
                              job.orientation};
    jpeg_destroy_decompress(&job.reader);
    return job.status;
}

static void write_pixels(jpeg_job *job, FILE *f, const image *i, int quality)
{
    struct jpeg_compress_struct *writer = &job->writer;
    jpeg_create_compress(writer);
    jpeg_stdio_dest(writer, f);
    writer->image_width = (JDIMENSION)i->width;
    writer->image_height = (JDIMENSION)i->height;
    writer->input_components = 3;
    writer->in_color_space = JCS_RGB;
    jpeg_set_defaults(writer);
    jpeg_set_quality(writer, quality, TRUE);
    jpeg_start_compress(writer, TRUE);
    while (writer->next_scanline < writer->image_height) {
        unsigned char *row = i->pixels + (size_t)writer->next_scanline * (size_t)i->width * 3;
        jpeg_write_scanlines(writer, &row, 1);
    }
    jpeg_finish_compress(writer);
}

static void try_encode(jpeg_job *job, FILE *f, const image *i, int quality)
{
    if (setjmp(job->back) == 0)
        write_pixels(job, f, i, quality);
}

ptq_status jpeg_file_encode(FILE *f, const image *i, int quality, ptq_error *err)
{
    jpeg_job job;
    init_job(&job, err);
    try_encode(&job, f, i, quality);
    jpeg_destroy_compress(&job.writer);
    return job.status;
}
