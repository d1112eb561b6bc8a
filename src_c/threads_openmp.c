/* threads_openmp.c: the OpenMP back end, the only file that uses OpenMP.
 *
 * A child process does not have the threads of libgomp's pool, and would wait for them
 * in its first step.  So the pool is ended before each fork of a process in which
 * lrcore has made one; machine.h says what is lost with it.  LLVM's runtime handles
 * forks itself, and hangs if a fork handler calls it.  Which runtime is used is not
 * known at compile time: LLVM's may be installed under libgomp's name, and has the same
 * functions. */

#define _GNU_SOURCE /* for dladdr */
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lrcore.h"
#include "threads.h"

static atomic_int pooled; /* whether more than one thread has run here */

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
    if (atomic_load_explicit(&pooled, memory_order_relaxed) && !is_llvm())
        (void)omp_pause_resource_all(omp_pause_soft);
}

__attribute__((constructor)) static void guard_fork(void)
{
    (void)pthread_atfork(end_pool, NULL, NULL);
}

int lrc_openmp_threads(void) { return omp_get_max_threads(); }

static void parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
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
