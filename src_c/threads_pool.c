/* threads_pool.c: a pool of threads; a step waits only for one that is in the middle of
 * a chunk.
 *
 * The caller takes part in its job (dealt.h).  A thread that the system has not run yet
 * finds nothing to do, and nobody has waited for it.  Threads that have nothing to do
 * look out for a job for 200 us, and then sleep.  They yield in between; otherwise a
 * thread on the caller's processor would keep the caller from running.  Where waiting
 * for threads in the middle of a chunk takes longer than they save, they rest for a
 * while (worth.h).  One job runs at a time: a caller who finds the pool taken does its
 * work alone.  A child process begins with an empty pool. */

#include <stdatomic.h>
#include <stdint.h>

#include "dealt.h"
#include "lrcore.h"
#include "portable.h"
#include "spawn.h"
#include "threads.h"
#include "wait.h"
#include "worth.h"

/* Threads stay awake for this long without work (ns): Python takes 100 us between two
 * steps of 1,000 arrays. */
enum { AWAKE = 200000 };

enum { LINE = 64, MOST_MISSES = 5 };

static struct {
    _Alignas(LINE) atomic_uint number;   /* of the job */
    _Alignas(LINE) atomic_uint sleepers; /* how many may be asleep, waiting for a job */
    atomic_int taken;   /* whether a job is under way, or the pool has ended */
    atomic_int ends;    /* whether the threads have to end */
    atomic_int refused; /* see lrc_threads_refused() */
    int made;           /* threads, without the caller's */
    /* How often threads were woken and came too late, since another thread last had a
     * chunk; at most MOST_MISSES. */
    int misses;
    int unwoken; /* jobs since threads were last woken */
    lrc_worth worth;
    lrc_thread thread[LRC_MOST_THREADS];
} pool;

/* --- the threads ------------------------------------------------------------------ */

/* Wait until there is a job after the last; awake at first, if the last had use for the
 * thread. */
static void wait_for_job(unsigned last, int used)
{
    long long began = 0;
    while (atomic_load_explicit(&pool.number, memory_order_relaxed) == last)
        if (!used || lrc_waited_for(AWAKE, &began)) {
            atomic_fetch_add(&pool.sleepers, 1);
            lrc_sleep_while(&pool.number, last);
            atomic_fetch_sub(&pool.sleepers, 1);
        }
}

static void live(void *thread)
{
    unsigned number = atomic_load(&pool.number) - 1; /* it may be made for this job */
    for (int used = 1;; used = lrc_has_use_for((int)(intptr_t)thread)) {
        wait_for_job(number, used);
        number = atomic_load_explicit(&pool.number, memory_order_acquire);
        if (atomic_load(&pool.ends)) return;
        lrc_do_chunks((int)(intptr_t)thread, number);
    }
}

/* Make threads until there are n with the caller's; return how many there are. */
static int grow(int n)
{
    if (n > LRC_MOST_THREADS) n = LRC_MOST_THREADS;
    if (n - 1 <= pool.made) return n;
    if (atomic_load(&pool.refused)) return pool.made + 1;
    while (pool.made < n - 1) {
        const int k = pool.made + 1;
        if (lrc_spawn(&pool.thread[k], LRC_STACK, live, (void *)(intptr_t)k)) {
            atomic_store(&pool.refused, 1);
            break;
        }
        pool.made = k;
    }
    return pool.made + 1;
}

/* Change the job's number; wake the threads that sleep, if asked. */
static void publish(unsigned number, int wakes)
{
    atomic_store_explicit(&pool.number, number, memory_order_release);
    lrc_store_before_load();
    if (wakes && atomic_load_explicit(&pool.sleepers, memory_order_relaxed) > 0)
        lrc_wake(&pool.number);
}

/* Whether to wake threads for a job.  Small jobs do not wake them each time if they
 * came too late for a chunk the last times, as on a busy machine. */
static int is_worth_waking(int n_threads, int n_chunks)
{
    enum { MANY = 8 }; /* chunks of a thread, which take longer than a wake */
    return n_chunks >= MANY * n_threads || pool.unwoken + 1 >= 1 << pool.misses;
}

/* Note, after a job, whether threads were woken and whether the caller was alone. */
static void note(int wakes, int alone)
{
    pool.unwoken = wakes ? 0 : pool.unwoken + 1;
    if (!alone)
        pool.misses = 0;
    else if (wakes && pool.misses < MOST_MISSES)
        pool.misses++;
}

/* Take the pool, if it is free and other threads are worth it for a job; return whether
 * it was taken. */
static int take(void)
{
    if (atomic_load(&pool.ends) || atomic_exchange(&pool.taken, 1)) return 0;
    if (lrc_is_worth_threads(&pool.worth, lrc_now())) return 1;
    atomic_store(&pool.taken, 0);
    return 0;
}

static void parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    if (!take()) {
        job(ctx, &(lrc_chunk){0, 1});
        return;
    }
    if (n_chunks > LRC_MOST_CHUNKS) n_chunks = LRC_MOST_CHUNKS;
    n_threads = grow(n_threads);
    const unsigned number = atomic_load(&pool.number) + 1;
    lrc_deal(number, n_threads, n_chunks, job, ctx);
    const int wakes = is_worth_waking(n_threads, n_chunks);
    publish(number, wakes);
    const lrc_seen seen = lrc_do_job(number, n_threads, n_chunks);
    note(wakes, seen.others == 0);
    lrc_enter_job(&pool.worth, &seen, lrc_now());
    atomic_store(&pool.taken, 0);
}

const lrc_back_end lrc_pool = {"pool", parallel, 1};

int lrc_threads_refused(void) { return atomic_load(&pool.refused); }

/* --- the process ------------------------------------------------------------------ */

static void empty(void)
{
    pool.made = 0;
    lrc_forget_job();
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.refused, 0);
    pool.worth = (lrc_worth){0};
    atomic_store(&pool.taken, 0);
}

AT_LOAD static void begin(void) { lrc_at_fork(NULL, empty); }

/* End the threads at the program's exit, or when the library is unloaded.  No job
 * begins after that: steps of other threads run alone.  If a job does not end within a
 * second (exit() was called in the middle of it), the threads stay. */
AT_UNLOAD static void end(void)
{
    atomic_store(&pool.ends, 1);
    for (int i = 0; atomic_exchange(&pool.taken, 1); i++) {
        if (i == 1000) return;
        lrc_sleep_ms();
    }
    publish(atomic_load(&pool.number) + 1, 1);
    for (int k = 1; k <= pool.made; k++) lrc_join(pool.thread + k);
}
