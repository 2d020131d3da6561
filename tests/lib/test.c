/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include <ftw.h>

void test_assert_status(ptq_status got, ptq_status want, const ptq_error *err, const char *call,
                        const char *file, int line)
{
    if (got == want)
        return;
    print_error("%s\n  gave '%s' instead of '%s'%s%s\n", call, ptq_status_text(got),
                ptq_status_text(want), got != PTQ_OK ? ": " : "",
                got != PTQ_OK ? err->message : "");
    _fail(file, line);
}

const char *test_shared(const char *relative, char buffer[512])
{
    const char *root = getenv("PTQ_SHARED");
    snprintf(buffer, 512, "%s/%s", root ? root : "../shared/data", relative);
    if (access(buffer, R_OK) != 0) {
        print_message("SKIPPED: '%s' is absent\n", buffer);
        skip();
    }
    return buffer;
}

const char *test_demo(const char *relative, char buffer[512])
{
    snprintf(buffer, 512, "demo/%s", relative);
    return buffer;
}

const char *test_temp_dir(char buffer[512])
{
    const char *root = getenv("TMPDIR");
    snprintf(buffer, 512, "%s/ptq-test-XXXXXX", root ? root : "/tmp");
    assert_non_null(mkdtemp(buffer));
    return buffer;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void test_temp_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static size_t npy_header(FILE *f, char *header, size_t cap)
{
    unsigned char lead[12];
    assert_int_equal(fread(lead, 1, 10, f), 10);
    assert_memory_equal(lead, "\x93NUMPY", 6);
    size_t n = (size_t)lead[8] | (size_t)lead[9] << 8;
    if (lead[6] > 1) {
        assert_int_equal(fread(lead + 10, 1, 2, f), 2);
        n |= (size_t)lead[10] << 16 | (size_t)lead[11] << 24;
    }
    assert_true(n < cap);
    assert_int_equal(fread(header, 1, n, f), n);
    header[n] = '\0';
    return n;
}

float *test_npy(const char *path, int *rank, int64_t dims[8], size_t *count)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open '%s'", path);
    char header[4096];
    npy_header(f, header, sizeof header);
    bool is_u8 = strstr(header, "'|u1'") != NULL;
    bool is_f64 = strstr(header, "'<f8'") != NULL;
    if (!is_u8 && !is_f64)
        assert_non_null(strstr(header, "'<f4'"));
    char *p = strstr(header, "'shape': (");
    assert_non_null(p);
    p += strlen("'shape': (");
    *rank = 0;
    *count = 1;
    while (*p && *p != ')') {
        if (*p >= '0' && *p <= '9') {
            dims[*rank] = strtoll(p, &p, 10);
            *count *= (size_t)dims[(*rank)++];
        } else {
            p++;
        }
    }
    size_t size = is_u8 ? 1 : is_f64 ? 8 : 4;
    unsigned char *raw = malloc(*count * size + 1);
    float *values = malloc(*count * sizeof *values + 1);
    assert_non_null(raw);
    assert_non_null(values);
    assert_int_equal(fread(raw, size, *count, f), *count);
    fclose(f);
    for (size_t i = 0; i < *count; i++)
        values[i] = is_u8    ? (float)raw[i]
                    : is_f64 ? (float)((double *)(void *)raw)[i]
                             : ((float *)(void *)raw)[i];
    free(raw);
    return values;
}

double test_max_abs(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= 1e300))
            return INFINITY;
        if (d > worst)
            worst = d;
    }
    return worst;
}

double test_uniform(test_rng *r)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (double)(r->state >> 11) * 0x1p-53;
}

double test_normal(test_rng *r)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += test_uniform(r);
    return sum;
}
