/* threads_openmp.c: the OpenMP back end, the only file that uses OpenMP.
 *
 * OpenMP ends the process if the system refuses it a thread, and its threads have
 * stacks of the size that the environment asks for.  So a region is tried first, with
 * threads that do nothing; if they are not to be had, or their stacks would be too
 * small, the pool does the job, with the threads that it gets.
 *
 * A child process does not have the threads of libgomp's pool, and would wait for them
 * in its first step.  So the pool is ended before each fork of a process in which
 * lrcore has made one; lrcore.h says what is lost with it.  LLVM's runtime handles
 * forks itself, and hangs if a fork handler calls it.  Which runtime is used is not
 * known at compile time: LLVM's may be installed under libgomp's name, and has the same
 * functions. */

#define _GNU_SOURCE /* for dladdr */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "portable.h"
#include "spawn.h"
#include "threads.h"

static atomic_int pooled;  /* whether more than one thread has run here */
static atomic_int refused; /* whether threads could not be had once */

/* How often the pools have ended: what threads had before is gone. */
static atomic_uint generation = 1;

/* Whether the runtime is LLVM's or Intel's: both export __kmpc_fork_call. */
static int is_llvm(void)
{
    Dl_info library;
    if (!dladdr((void *)(size_t)omp_get_max_threads, &library)) return 0;
    void *handle = dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle) return 0;
    const int found = dlsym(handle, "__kmpc_fork_call") != NULL;
    dlclose(handle);
    return found;
}

static void end_pool(void)
{
    atomic_fetch_add(&generation, 1);
    if (atomic_load_explicit(&pooled, memory_order_relaxed) && !is_llvm())
        (void)omp_pause_resource_all(omp_pause_soft);
}

static void forget(void) { atomic_store(&refused, 0); }

AT_LOAD static void guard_fork(void) { lrc_at_fork(end_pool, forget); }

int lrc_openmp_threads(void)
{
    const int n = omp_get_max_threads(), most = omp_get_thread_limit();
    if (n < 1) return most; /* OMP_NUM_THREADS had more digits than an int has */
    return n < most ? n : most;
}

/* The bytes that a variable asks for: a number of kB, or one with a unit.  0 where
 * libgomp ignores it: it is no number, has other letters behind it or does not fit. */
static size_t asked(const char *text)
{
    static const char units[] = "bkmgBKMG";
    char *end;
    if (!text) return 0;
    errno = 0;
    const unsigned long n = strtoul(text, &end, 10);
    if (errno || end == text) return 0;
    while (isspace((unsigned char)*end)) end++;
    int shift = 10;
    if (*end) {
        const char *unit = strchr(units, *end);
        if (!unit) return 0;
        shift = 10 * (int)((unit - units) % 4);
        do end++;
        while (isspace((unsigned char)*end));
        if (*end) return 0;
    }
    return n > SIZE_MAX >> shift ? 0 : (size_t)n << shift;
}

size_t lrc_openmp_stack(void)
{
    size_t size = asked(getenv("OMP_STACKSIZE"));
    if (!size) size = asked(getenv("GOMP_STACKSIZE"));
    if (size) return size;
    pthread_attr_t attributes;
    size = LRC_STACK;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &size);
        (void)pthread_attr_destroy(&attributes);
    }
    return size;
}

/* Whether OpenMP can have n threads: each thread that calls has a pool of its own, and
 * tries each larger number once.  Twice as many are tried as OpenMP has to make: one
 * that was joined still counts for a moment. */
static int can_have(int n)
{
    static _Thread_local struct {
        int threads;
        unsigned generation;
    } had;
    const unsigned now = atomic_load(&generation);
    const int there = had.generation == now ? had.threads : 1;
    if (n <= there) return 1;
    if (atomic_load(&refused)) return 0;
    const size_t stack = lrc_openmp_stack();
    if (stack < LRC_LEAST_STACK || !lrc_can_spawn(2 * (n - there), stack)) {
        atomic_store(&refused, 1);
        return 0;
    }
    had.threads = n;
    had.generation = now;
    return 1;
}

static void parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    if (!can_have(n_threads)) {
        lrc_pool.parallel(n_threads, n_chunks, job, ctx);
        return;
    }
    atomic_store_explicit(&pooled, 1, memory_order_relaxed);
#pragma omp parallel num_threads(n_threads)
    {
        const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        const int end = (int)(n_chunks * (thread + 1) / threads);
        for (int k = (int)(n_chunks * thread / threads); k < end; k++)
            job(ctx, &(lrc_chunk){k, n_chunks});
    }
}

const lrc_back_end lrc_openmp = {"openmp", parallel, 0};
