/* threads_pool.c: a pool of threads; a step waits only for one that is in the middle of
 * a chunk.
 *
 * The chunks of a job are dealt out to its threads in shares.  A thread claims the chunks
 * of its own share, in order, which are those that it had in the last step and may still
 * be in its cache; then it helps the others, from the ends of their shares.  So all chunks
 * are done, whoever has time for them.  The caller takes part; if no chunk is left to
 * claim, it waits for those under way.  A thread that the system has not run yet finds
 * nothing to do, and nobody has waited for it.
 *
 * Threads that have nothing to do look out for a job for 200 us, and then sleep.  They
 * yield in between; otherwise a thread on the caller's processor would keep the caller
 * from running.  One job runs at a time: a caller who finds the pool taken does
 * its work alone.  A child process begins with an empty pool.
 *
 * A claim is a compare-and-swap on the job's number and the share's chunks, so that a
 * thread that is late by a job or more cannot claim a chunk of another.  What it has read
 * of the job is right if the claim succeeds, since a job with a chunk that is not done
 * stays as it is. */

#define _GNU_SOURCE /* for pthread_sigmask and nanosleep */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "lrcore.h"
#include "threads.h"
#include "wait.h"

enum { MOST = 256, LINE = 64, MOST_CHUNKS = UINT16_MAX };

/* How long threads stay awake without work, and the caller for the last chunks (ns). */
enum { AWAKE = 200000, CALLER_AWAKE = 10000 };

/* What a thread writes often lies in a cache line of its own. */
static struct {
    /* By thread: the job's number (32 bits), the first chunk of the share that nobody has
     * claimed, and the end of these (16 bits each). */
    struct {
        _Alignas(LINE) _Atomic(uint64_t) left;
    } share[MOST];
    /* By thread: the number of the last job that it had a chunk of, and how many chunks of
     * it are done (32 bits each). */
    struct {
        _Alignas(LINE) _Atomic(uint64_t) chunks;
    } done[MOST];
    /* The job. */
    _Alignas(LINE) atomic_uint number;
    atomic_int n_threads, n_chunks;
    _Atomic(lrc_job *) job;
    _Atomic(void *) ctx;
    /* The threads. */
    _Alignas(LINE) atomic_uint sleepers; /* how many may be asleep, waiting for a job */
    atomic_uint caller_sleeps;
    atomic_int taken; /* whether a job is under way, or the pool has ended */
    atomic_int ends;
    atomic_int refused; /* see lrc_threads_refused() */
    int made;           /* threads, without the caller's */
    int misses;  /* how often threads were woken and came too late, since the last time
                   that another thread had a chunk; at most 5 */
    int unwoken; /* jobs since threads were last woken */
    pthread_t thread[MOST];
} pool;

/* --- a job ------------------------------------------------------------------------ */

static void deal_out(unsigned number, int n_threads, int n_chunks)
{
    for (int t = 0; t < n_threads; t++) {
        const uint64_t from = (uint64_t)(n_chunks * t / n_threads);
        const uint64_t end = (uint64_t)(n_chunks * (t + 1) / n_threads);
        const uint64_t left = (uint64_t)number << 32 | from << 16 | end;
        atomic_store_explicit(&pool.share[t].left, left, memory_order_relaxed);
    }
}

/* Claim the first or the last chunk that is left of a share; -1 if there is none. */
static int claim(int share, unsigned number, int first)
{
    _Atomic(uint64_t) *const where = &pool.share[share].left;
    uint64_t left = atomic_load_explicit(where, memory_order_relaxed);
    for (;;) {
        const int from = (int)(left >> 16 & 0xffff), end = (int)(left & 0xffff);
        if ((unsigned)(left >> 32) != number || from == end) return -1;
        const uint64_t rest = first ? left + (1 << 16) : left - 1;
        if (atomic_compare_exchange_weak_explicit(
                where, &left, rest, memory_order_acq_rel, memory_order_relaxed))
            return first ? from : end - 1;
    }
}

static int is_done(unsigned number, int n_threads, int n_chunks)
{
    unsigned all = 0;
    for (int t = 0; t < n_threads; t++) {
        const uint64_t done = atomic_load(&pool.done[t].chunks);
        if (done >> 32 == number) all += (unsigned)done;
    }
    return all == (unsigned)n_chunks;
}

/* Do what is left to claim of a job, if it is not over; return how many chunks it was. */
static int work(int thread, unsigned number)
{
    const int n_threads = atomic_load_explicit(&pool.n_threads, memory_order_relaxed);
    const int n_chunks = atomic_load_explicit(&pool.n_chunks, memory_order_relaxed);
    lrc_job *const job = atomic_load_explicit(&pool.job, memory_order_relaxed);
    void *const ctx = atomic_load_explicit(&pool.ctx, memory_order_relaxed);
    uint64_t done = (uint64_t)number << 32;

    for (int i = 0; thread < n_threads && i < n_threads; i++) {
        const int share = (thread + i) % n_threads;
        for (int k; (k = claim(share, number, i == 0)) >= 0;) {
            job(ctx, &(lrc_chunk){k, n_chunks});
            atomic_store(&pool.done[thread].chunks, ++done);
            if (atomic_load(&pool.caller_sleeps) &&
                is_done(number, n_threads, n_chunks)) {
                atomic_store(&pool.caller_sleeps, 0);
                lrc_wake(&pool.caller_sleeps);
            }
        }
    }
    return (int)(uint32_t)done;
}

static void wait_for_chunks(unsigned number, int n_threads, int n_chunks)
{
    long long began = 0;
    while (!is_done(number, n_threads, n_chunks)) {
        if (!lrc_waited_for(CALLER_AWAKE, &began)) continue;
        atomic_store(&pool.caller_sleeps, 1);
        if (!is_done(number, n_threads, n_chunks))
            lrc_sleep_while(&pool.caller_sleeps, 1);
        atomic_store(&pool.caller_sleeps, 0);
    }
}

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

static void *live(void *thread)
{
    unsigned number = atomic_load(&pool.number) - 1; /* it may be made for this job */
    for (int used = 1;; used = (int)(intptr_t)thread < atomic_load(&pool.n_threads)) {
        wait_for_job(number, used);
        number = atomic_load_explicit(&pool.number, memory_order_acquire);
        if (atomic_load(&pool.ends)) return NULL;
        (void)work((int)(intptr_t)thread, number);
    }
}

/* Make threads until there are n with the caller's; return how many there are. */
static int grow(int n)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t all, before;
    if (n > MOST) n = MOST;
    if (n - 1 <= pool.made) return n;
    if (atomic_load(&pool.refused)) return pool.made + 1;
    sigfillset(&all); /* signals are for the program's own threads, but for faults */
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.made < n - 1) {
        const int k = pool.made + 1;
        if (pthread_create(&pool.thread[k], NULL, live, (void *)(intptr_t)k)) {
            atomic_store(&pool.refused, 1);
            break;
        }
        pool.made = k;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pool.made + 1;
}

/* Change the job's number; wake the threads that sleep, if asked. */
static void publish(unsigned number, int wakes)
{
    atomic_store(&pool.number, number);
    if (wakes && atomic_load(&pool.sleepers) > 0) lrc_wake(&pool.number);
}

/* Whether to wake threads for a job.  Small jobs do not wake them each time if they came
 * too late for a chunk the last times, as on a busy machine. */
static int is_worth_waking(int n_threads, int n_chunks)
{
    enum { MANY = 8 };
    pool.unwoken++;
    return n_chunks >= MANY * n_threads || pool.unwoken >= 1 << pool.misses;
}

static void note(int wakes, int alone)
{
    if (wakes) pool.unwoken = 0;
    if (!alone)
        pool.misses = 0;
    else if (wakes && pool.misses < 5)
        pool.misses++;
}

static void parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    if (atomic_load(&pool.ends) || atomic_exchange(&pool.taken, 1)) {
        job(ctx, &(lrc_chunk){0, 1});
        return;
    }
    if (n_chunks > MOST_CHUNKS) n_chunks = MOST_CHUNKS;
    n_threads = grow(n_threads);
    const unsigned number = atomic_load(&pool.number) + 1;
    atomic_store_explicit(&pool.n_threads, n_threads, memory_order_relaxed);
    atomic_store_explicit(&pool.n_chunks, n_chunks, memory_order_relaxed);
    atomic_store_explicit(&pool.job, job, memory_order_relaxed);
    atomic_store_explicit(&pool.ctx, ctx, memory_order_relaxed);
    deal_out(number, n_threads, n_chunks);
    const int wakes = is_worth_waking(n_threads, n_chunks);
    publish(number, wakes);
    const int alone = work(0, number) == n_chunks;
    wait_for_chunks(number, n_threads, n_chunks);
    note(wakes, alone);
    atomic_store(&pool.taken, 0);
}

const lrc_back_end lrc_pool = {"pool", parallel, 1};

int lrc_threads_refused(void) { return atomic_load(&pool.refused); }

/* --- the process ------------------------------------------------------------------ */

static void empty(void)
{
    pool.made = 0;
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.caller_sleeps, 0);
    atomic_store(&pool.refused, 0);
    atomic_store(&pool.taken, 0);
}

__attribute__((constructor)) static void begin(void)
{
    (void)pthread_atfork(NULL, NULL, empty);
}

/* End the threads at the program's exit, or when the library is unloaded.  No job begins
 * after that: steps of other threads run alone.  If a job does not end within a second
 * (exit() was called in the middle of it), the threads stay. */
__attribute__((destructor)) static void end(void)
{
    const struct timespec ms = {0, 1000000};
    atomic_store(&pool.ends, 1);
    for (int i = 0; atomic_exchange(&pool.taken, 1); i++) {
        if (i == 1000) return;
        nanosleep(&ms, NULL);
    }
    publish(atomic_load(&pool.number) + 1, 1);
    for (int k = 1; k <= pool.made; k++) (void)pthread_join(pool.thread[k], NULL);
}
