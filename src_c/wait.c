/* wait.c: sleeping until another thread changes a number: by a futex on Linux,
 * elsewhere by one condition for all numbers. */

#define _GNU_SOURCE /* for syscall and clock_gettime */
#include "wait.h"

#include <sched.h>
#include <time.h>

#ifdef __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void lrc_sleep_while(atomic_uint *number, unsigned value)
{
    (void)syscall(SYS_futex, number, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void lrc_wake(atomic_uint *number)
{
    (void)syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#else
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void lrc_sleep_while(atomic_uint *number, unsigned value)
{
    pthread_mutex_lock(&mutex);
    if (atomic_load(number) == value) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

void lrc_wake(atomic_uint *number)
{
    (void)number;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}
#endif

int lrc_waited_for(long long ns, long long *began)
{
    struct timespec now;
    sched_yield(); /* another thread may need this processor more */
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long long at = now.tv_sec * 1000000000LL + now.tv_nsec;
    if (*began == 0) *began = at;
    return at - *began > ns;
}
