/* wait.c: sleeping until another thread changes a number, by a futex of Linux. */

#define _GNU_SOURCE /* for syscall and clock_gettime */
#include "wait.h"

#include <limits.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of a futex that no other process uses.  <linux/futex.h> has them, which is not there
 * without the kernel's headers. */
enum { WAIT = 0 | 128, WAKE = 1 | 128 };

void lrc_sleep_while(atomic_uint *number, unsigned value)
{
    (void)syscall(SYS_futex, number, WAIT, value, NULL, NULL, 0);
}

void lrc_wake(atomic_uint *number)
{
    (void)syscall(SYS_futex, number, WAKE, INT_MAX, NULL, NULL, 0);
}

long long lrc_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int lrc_waited_for(long long ns, long long *began)
{
    sched_yield(); /* another thread may need this processor more */
    const long long at = lrc_now();
    if (*began == 0) *began = at;
    return at - *began > ns;
}
