/* wait.h: sleeping until another thread changes a number. */

#ifndef LRC_WAIT_H
#define LRC_WAIT_H

#include <stdatomic.h>

/* Sleep until lrc_wake() is called for the number, unless it is not `value` any more.
 * The thread may also wake without a reason. */
void lrc_sleep_while(atomic_uint *number, unsigned value);

/* Wake all threads that sleep on a number, after it was changed. */
void lrc_wake(atomic_uint *number);

/* Call again and again while waiting awake: whether it has lasted `ns` by now.
 * `began` is 0 at first. */
int lrc_waited_for(long long ns, long long *began);

#endif
