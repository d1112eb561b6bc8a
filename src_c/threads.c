/* threads.c: the back end of threads in use, the number of threads and of chunks. */

#include "threads.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "portable.h"
#include "system.h"

/* --- the back ends ---------------------------------------------------------------- */

static const lrc_back_end *const back_ends[] = {&lrc_pool, /* the default */
#ifdef _OPENMP
                                                &lrc_openmp,
#endif
                                                &lrc_serial};

size_t lrc_threading_count(void) { return sizeof back_ends / sizeof *back_ends; }

const char *lrc_threading_name(size_t i)
{
    return i < lrc_threading_count() ? back_ends[i]->name : NULL;
}

static const lrc_back_end *find(const char *name)
{
    for (size_t i = 0; name && i < lrc_threading_count(); i++)
        if (strcmp(name, back_ends[i]->name) == 0) return back_ends[i];
    return NULL;
}

/* Chosen on first use, unless another thread has set it meanwhile. */
static _Atomic(const lrc_back_end *) current;

static const lrc_back_end *in_use(void)
{
    const lrc_back_end *set = atomic_load_explicit(&current, memory_order_relaxed);
    if (set) return set;
    const lrc_back_end *usual = find(getenv("LRCORE_THREADING"));
    if (!usual) usual = back_ends[0];
    return atomic_compare_exchange_strong(&current, &set, usual) ? usual : set;
}

const char *lrc_threading(void) { return in_use()->name; }

int lrc_set_threading(const char *name)
{
    const lrc_back_end *chosen = find(name);
    if (name && !chosen) return -1;
    atomic_store_explicit(&current, chosen, memory_order_relaxed);
    return 0;
}

/* --- the number of threads -------------------------------------------------------- */

static atomic_int num_threads; /* as the user has set it; 0: the default */
static atomic_int limit;       /* of the default; 0: no limit */

static int lesser(int a, int b) { return a < b ? a : b; }

int lrc_has_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

#ifndef _OPENMP
int lrc_openmp_threads(void) { return lrc_processors(); }
#endif

/* Exported by the extension, so that threadpoolctl recognises it. */
EXPORTED int lrc_num_threads(void)
{
    if (in_use() == &lrc_serial) return 1;
    const int set = atomic_load_explicit(&num_threads, memory_order_relaxed);
    if (set > 0) return set;
    const int most = atomic_load_explicit(&limit, memory_order_relaxed);
    const int n = lesser(lrc_openmp_threads(), lrc_processors());
    return most > 0 ? lesser(n, most) : n;
}

int lrc_num_threads_set(void)
{
    return atomic_load_explicit(&num_threads, memory_order_relaxed);
}

void lrc_set_num_threads(int n)
{
    atomic_store_explicit(&num_threads, n, memory_order_relaxed);
}

void lrc_limit_threads(int n)
{
    atomic_store_explicit(&limit, n, memory_order_relaxed);
}

int lrc_threads_for(size_t total, size_t parallel_from, int asked)
{
    enum { FEW = 8 };
    if (total < (parallel_from ? parallel_from : LRC_PARALLEL_FROM)) return 1;
    const int n = asked > 0 && in_use() != &lrc_serial ? asked : lrc_num_threads();
    if (n <= FEW) return n;
    /* More gain nothing, and OpenMP ends the process if it cannot create a thread. */
    const int most = 4 * lrc_processors();
    return lesser(n, most > FEW ? most : FEW);
}

/* --- the number of chunks --------------------------------------------------------- */

int lrc_chunks_for(size_t total, int n_threads)
{
    enum { LEAST = 4 * LRC_STRIP, PER_THREAD = 64 };
    const size_t least = (size_t)n_threads, most = least * PER_THREAD;
    if (n_threads == 1 || !in_use()->claims) return n_threads;
    const size_t n = total / LEAST;
    return (int)(n < least ? least : n > most ? most : n);
}

void lrc_parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    if (n_threads == 1)
        job(ctx, &(lrc_chunk){0, 1});
    else
        in_use()->parallel(n_threads, n_chunks, job, ctx);
}
