/* wait.h: sleeping until another thread changes a number. */

#ifndef LRC_WAIT_H
#define LRC_WAIT_H

#include <stdatomic.h>

/* Between what this thread has stored and what it loads next: of two threads that each
 * store one number and load the other's, at least one sees the new number.  Sequentially
 * consistent stores and loads promise the same, but qemu 7.2 for aarch64 lets a load go
 * before such a store: a sleeper was not woken in about 1 of 35 runs of tests/bits.c. */
static inline void lrc_store_before_load(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Sleep until lrc_wake() is called for the number, unless it is not `value` any more.
 * The thread may also wake without a reason. */
void lrc_sleep_while(atomic_uint *number, unsigned value);

/* Wake all threads that sleep on a number, after it was changed. */
void lrc_wake(atomic_uint *number);

/* The time of a clock that never goes back, in ns. */
long long lrc_now(void);

/* Call again and again while waiting awake: whether it has lasted `ns` by now.
 * `began` is 0 at first. */
int lrc_waited_for(long long ns, long long *began);

#endif
