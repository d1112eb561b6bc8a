/* dealt.c: a job that is dealt out to threads.
 *
 * A claim is a compare-and-swap on the job's number and the share's chunks, so that a
 * thread that is late by a job or more cannot claim a chunk of another.  What it has
 * read of the job is right if the claim succeeds, since a job with a chunk that is not
 * done stays as it is. */

#include "dealt.h"

#include <stdint.h>

#include "wait.h"

enum { LINE = 64, CALLER_AWAKE = 10000 /* ns */ };

_Static_assert((int)LRC_MOST_CHUNKS <= UINT16_MAX, "an end has 16 bits");

/* What a thread writes often lies in a cache line of its own. */
static struct {
    /* By thread: the job's number (32 bits), the first chunk of the share that nobody
     * has claimed, and the end of these (16 bits each). */
    struct {
        _Alignas(LINE) _Atomic(uint64_t) left;
    } share[LRC_MOST_THREADS];
    /* By thread: the number of the last job that it had a chunk of, and how many chunks
     * of it are done (32 bits each). */
    struct {
        _Alignas(LINE) _Atomic(uint64_t) chunks;
    } done[LRC_MOST_THREADS];
    _Alignas(LINE) atomic_int n_threads, n_chunks;
    _Atomic(lrc_job *) job;
    _Atomic(void *) ctx;
    _Alignas(LINE) atomic_uint caller_sleeps;
} dealt;

void lrc_deal(unsigned number, int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    atomic_store_explicit(&dealt.n_threads, n_threads, memory_order_relaxed);
    atomic_store_explicit(&dealt.n_chunks, n_chunks, memory_order_relaxed);
    atomic_store_explicit(&dealt.job, job, memory_order_relaxed);
    atomic_store_explicit(&dealt.ctx, ctx, memory_order_relaxed);
    for (int t = 0; t < n_threads; t++) {
        const uint64_t from = (uint64_t)(n_chunks * t / n_threads);
        const uint64_t end = (uint64_t)(n_chunks * (t + 1) / n_threads);
        const uint64_t left = (uint64_t)number << 32 | from << 16 | end;
        atomic_store_explicit(&dealt.share[t].left, left, memory_order_relaxed);
    }
}

/* Claim the first or the last chunk that is left of a share; -1 if there is none. */
static int claim(int share, unsigned number, int first)
{
    _Atomic(uint64_t) *const where = &dealt.share[share].left;
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
        const uint64_t done =
            atomic_load_explicit(&dealt.done[t].chunks, memory_order_acquire);
        if (done >> 32 == number) all += (unsigned)done;
    }
    return all == (unsigned)n_chunks;
}

/* Do a chunk, and note its time. */
static void do_timed(lrc_job *job, void *ctx, const lrc_chunk *chunk, lrc_seen *seen)
{
    const long long began = lrc_now();
    job(ctx, chunk);
    const long long ns = lrc_now() - began;
    seen->own++;
    seen->ns += ns;
    if (ns > seen->longest_ns) seen->longest_ns = ns;
}

/* Do what is left to claim.  Note this thread's chunks and their times in `seen`,
 * unless that is NULL. */
static void do_chunks(int thread, unsigned number, lrc_seen *seen)
{
    const int n_threads = atomic_load_explicit(&dealt.n_threads, memory_order_relaxed);
    const int n_chunks = atomic_load_explicit(&dealt.n_chunks, memory_order_relaxed);
    lrc_job *const job = atomic_load_explicit(&dealt.job, memory_order_relaxed);
    void *const ctx = atomic_load_explicit(&dealt.ctx, memory_order_relaxed);
    uint64_t done = (uint64_t)number << 32;

    for (int i = 0; thread < n_threads && i < n_threads; i++) {
        const int share = (thread + i) % n_threads;
        for (int k; (k = claim(share, number, i == 0)) >= 0;) {
            const lrc_chunk chunk = {k, n_chunks};
            if (seen)
                do_timed(job, ctx, &chunk, seen);
            else
                job(ctx, &chunk);
            atomic_store_explicit(&dealt.done[thread].chunks, ++done,
                                  memory_order_release);
            lrc_store_before_load();
            if (atomic_load_explicit(&dealt.caller_sleeps, memory_order_relaxed) &&
                is_done(number, n_threads, n_chunks)) {
                atomic_store(&dealt.caller_sleeps, 0);
                lrc_wake(&dealt.caller_sleeps);
            }
        }
    }
}

void lrc_do_chunks(int thread, unsigned number) { do_chunks(thread, number, NULL); }

/* Wait for the chunks that others are doing. */
static void wait_for_chunks(unsigned number, int n_threads, int n_chunks)
{
    long long began = 0;
    while (!is_done(number, n_threads, n_chunks)) {
        if (!lrc_waited_for(CALLER_AWAKE, &began)) continue;
        atomic_store_explicit(&dealt.caller_sleeps, 1, memory_order_relaxed);
        lrc_store_before_load();
        if (!is_done(number, n_threads, n_chunks))
            lrc_sleep_while(&dealt.caller_sleeps, 1);
        atomic_store(&dealt.caller_sleeps, 0);
    }
}

lrc_seen lrc_do_job(unsigned number, int n_threads, int n_chunks)
{
    lrc_seen seen = {0};
    do_chunks(0, number, &seen);
    seen.others = n_chunks - seen.own;
    if (seen.others == 0) return seen;
    const long long began = lrc_now();
    wait_for_chunks(number, n_threads, n_chunks);
    seen.waited_ns = lrc_now() - began;
    return seen;
}

int lrc_has_use_for(int thread) { return thread < atomic_load(&dealt.n_threads); }

void lrc_forget_job(void) { atomic_store(&dealt.caller_sleeps, 0); }
