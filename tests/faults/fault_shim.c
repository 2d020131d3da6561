/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded before a program (LD_PRELOAD), makes one of its calls fail and tells what it has left.
 *
 *   PTQ_FAULT_CALL=N     the N-th allocation, counted from 1, finds no memory
 *   PTQ_FAULT_SITE=N     the first allocation from the N-th new place (the innermost callers) does
 *   PTQ_FAULT_OBJECTS=S  words separated by ':'; libraries with one in their name count as program
 *   PTQ_FAULT_FSYNC=N    the N-th fsync() is an input/output error
 *   PTQ_FAULT_REPORT=F   at the end "calls C sites S live L fired 0|1" is written to F
 * A crash says "crash: 0xADDRESS", where in the program it was, and ends with code 139.
 *
 * Only calls from the program count (the library is linked into it): what the C library or OpenMP
 * allocate for themselves is left alone. `live` are allocations that were not freed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *p);

enum { MAX_RANGES = 64, N_SITES = 1 << 16, N_LIVE = 1 << 22, DEPTH = 5, OWN_FRAMES = 3 };

static struct range {
    uintptr_t begin, end;
} ranges[MAX_RANGES];
static int n_ranges;
static uintptr_t load_address;
static long wanted_call, wanted_site, wanted_fsync;
static long n_calls, n_sites, n_fsyncs, n_live;
static bool has_fired;
static uint64_t sites[N_SITES];
static uintptr_t live[N_LIVE]; /* 0: free, 1: was in use */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool is_inside;

static bool is_program(uintptr_t address)
{
    for (int i = 0; i < n_ranges; i++)
        if (address >= ranges[i].begin && address < ranges[i].end)
            return true;
    return false;
}

static bool is_named(const char *name, const char *words)
{
    for (const char *w = words; w && *w;) {
        size_t n = strcspn(w, ":");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)n, w);
        if (n > 0 && strstr(name, word))
            return true;
        w += n + (w[n] == ':');
    }
    return false;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *words)
{
    (void)size;
    bool is_main = !info->dlpi_name[0];
    if (is_main)
        load_address = info->dlpi_addr;
    if (!is_main && !is_named(info->dlpi_name, words))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && n_ranges < MAX_RANGES; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X)) {
            uintptr_t begin = info->dlpi_addr + h->p_vaddr;
            ranges[n_ranges++] = (struct range){begin, begin + h->p_memsz};
        }
    }
    return 0;
}

/* The innermost frame that is the program's. */
static void on_crash(int number)
{
    void *frames[32];
    char text[64];
    (void)number;
    int n = backtrace(frames, 32), i = 0;
    while (i < n - 1 && !is_program((uintptr_t)frames[i]))
        i++;
    int length = snprintf(text, sizeof text, "crash: 0x%lx\n", (uintptr_t)frames[i] - load_address);
    (void)!write(2, text, (size_t)length);
    _exit(139);
}

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    void *frames[2];
    backtrace(frames, 2); /* loads the unwinder, which allocates */
    wanted_call = number_of("PTQ_FAULT_CALL");
    wanted_site = number_of("PTQ_FAULT_SITE");
    wanted_fsync = number_of("PTQ_FAULT_FSYNC");
    dl_iterate_phdr(add_object, getenv("PTQ_FAULT_OBJECTS"));
    signal(SIGSEGV, on_crash);
    signal(SIGBUS, on_crash);
    signal(SIGFPE, on_crash);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("PTQ_FAULT_REPORT");
    n_ranges = 0;
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!f)
        return;
    fprintf(f, "calls %ld sites %ld live %ld fired %d\n", n_calls, n_sites, n_live, has_fired);
    fclose(f);
}

/* True when the calling place was not seen before. */
__attribute__((noinline)) static bool is_new_site(void)
{
    void *frames[OWN_FRAMES + DEPTH];
    int n = backtrace(frames, OWN_FRAMES + DEPTH);
    uint64_t hash = 1469598103934665603u;
    for (int i = OWN_FRAMES; i < n; i++)
        hash = (hash ^ ((uintptr_t)frames[i] - ranges[0].begin)) * 1099511628211u;
    hash |= 1;
    for (size_t i = hash % N_SITES;; i = (i + 1) % N_SITES) {
        if (sites[i] == hash)
            return false;
        if (sites[i] == 0) {
            sites[i] = hash;
            return true;
        }
    }
}

/* Counts a call; true: it is to fail. */
__attribute__((noinline)) static bool must_fail(void)
{
    bool fails = false;
    is_inside = true;
    pthread_mutex_lock(&lock);
    n_calls++;
    if (n_calls == wanted_call)
        fails = true;
    if (!wanted_call && n_sites < N_SITES / 2 && is_new_site() && ++n_sites == wanted_site)
        fails = true;
    has_fired = has_fired || fails;
    pthread_mutex_unlock(&lock);
    is_inside = false;
    if (fails)
        errno = ENOMEM;
    return fails;
}

static void note(void *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&lock);
    size_t i = ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u % N_LIVE;
    while (live[i] > 1)
        i = (i + 1) % N_LIVE;
    live[i] = (uintptr_t)p;
    n_live++;
    pthread_mutex_unlock(&lock);
}

static bool forget(void *p)
{
    bool is_ours = false;
    pthread_mutex_lock(&lock);
    size_t i = ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u % N_LIVE;
    for (; live[i] && !is_ours; i = (i + 1) % N_LIVE)
        if (live[i] == (uintptr_t)p) {
            live[i] = 1;
            n_live--;
            is_ours = true;
        }
    pthread_mutex_unlock(&lock);
    return is_ours;
}

#define IS_OURS (!is_inside && is_program((uintptr_t)__builtin_return_address(0)))

void *malloc(size_t bytes)
{
    if (!IS_OURS)
        return __libc_malloc(bytes);
    if (must_fail())
        return NULL;
    void *p = __libc_malloc(bytes);
    note(p);
    return p;
}

void *calloc(size_t n, size_t size)
{
    if (!IS_OURS)
        return __libc_calloc(n, size);
    if (must_fail())
        return NULL;
    void *p = __libc_calloc(n, size);
    note(p);
    return p;
}

void *realloc(void *old, size_t bytes)
{
    bool is_ours = IS_OURS;
    if (is_ours && must_fail())
        return NULL;
    bool was_ours = old && forget(old);
    void *p = __libc_realloc(old, bytes);
    if (is_ours || was_ours)
        note(p ? p : bytes ? old : NULL);
    return p;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!IS_OURS)
        return __libc_memalign(alignment, bytes);
    if (must_fail())
        return NULL;
    void *p = __libc_memalign(alignment, bytes);
    note(p);
    return p;
}

void free(void *p)
{
    if (p && n_live > 0)
        (void)forget(p);
    __libc_free(p);
}

int fsync(int fd)
{
    if (++n_fsyncs == wanted_fsync) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}
