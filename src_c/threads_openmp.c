/* threads_openmp.c: the back end of OpenMP.  Nothing else names it.
 *
 * libgomp's pool of threads does not outlive a fork: a child that steps would wait for
 * threads that it does not have.  So libgomp's pool is ended before each fork of a process
 * that has had one made here; what that takes with it stands in lrcore.h.  LLVM's runtime
 * takes care of forks by itself, and hangs in a fork handler that calls it.  Which of them
 * this is cannot be told at compile time: LLVM's is also found under libgomp's name, and
 * knows its functions. */

#define _GNU_SOURCE /* for dladdr */
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lrcore.h"
#include "threads.h"

static atomic_int pooled; /* whether a team of more than one has run */

/* Whether the runtime that answers our calls is LLVM's or Intel's, which export this. */
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

int lrc_has_openmp(void) { return 1; }

int lrc_usual_threads(void) { return omp_get_max_threads(); }

/* Those of the processor affinity as it is now: a system call. */
int lrc_processors(void) { return omp_get_num_procs(); }

void lrc_parallel(int n_threads, void (*fn)(void *, const lrc_team *), void *ctx)
{
    const lrc_team alone = {0, 1};
    if (n_threads == 1) {
        fn(ctx, &alone);
        return;
    }
    atomic_store_explicit(&pooled, 1, memory_order_relaxed);
#pragma omp parallel num_threads(n_threads)
    {
        const lrc_team team = {omp_get_thread_num(), omp_get_num_threads()};
        fn(ctx, &team);
    }
}

void lrc_meet(const lrc_team *team)
{
    if (team->n == 1) return;
#pragma omp barrier
}
