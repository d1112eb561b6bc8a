/* wait.h: waiting for a number that another thread changes. */

#ifndef LRC_WAIT_H
#define LRC_WAIT_H

#include "system.h"

/* Between what this thread has stored and what it loads next: of two threads that each
 * store one number and load the other's, at least one sees the new number.
 * Sequentially consistent stores and loads promise the same, but qemu 7.2 for aarch64
 * lets a load go before such a store: a sleeper was not woken in about 1 of 35 runs of
 * tests/bits.c. */
static inline void lrc_store_before_load(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Call again and again while waiting awake: whether it has lasted `ns` by now.
 * `began` is 0 at first. */
static inline int lrc_waited_for(long long ns, long long *began)
{
    lrc_yield(); /* another thread may need this processor more */
    const long long at = lrc_now();
    if (*began == 0) *began = at;
    return at - *began > ns;
}

#endif
