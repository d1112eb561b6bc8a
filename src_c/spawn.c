/* spawn.c: see spawn.h. */

#define _GNU_SOURCE /* for pthread_sigmask */
#include "spawn.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int lrc_spawn(pthread_t *thread, size_t stack, void *(*run)(void *), void *ctx)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t all, before;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    error = pthread_attr_setstacksize(&attributes, stack);
    if (!error) {
        sigfillset(&all); /* signals are for the program's threads, but for faults */
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            sigdelset(&all, faults[i]);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(thread, &attributes, run, ctx);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return error;
}

/* Wait until all threads of a trial are made. */
static void *wait_for_all(void *lock)
{
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

int lrc_can_spawn(int n, size_t stack)
{
    enum { MOST = 1024 }; /* more are not tried, but asked for */
    pthread_t threads[MOST];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int made = 0;
    if (n > MOST) n = MOST;
    (void)pthread_mutex_lock(&lock);
    while (made < n && !lrc_spawn(threads + made, stack, wait_for_all, &lock)) made++;
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < made; i++) (void)pthread_join(threads[i], NULL);
    return made == n;
}

size_t lrc_openmp_stack(void)
{
    static const char *const names[] = {"OMP_STACKSIZE", "GOMP_STACKSIZE"};
    static const char units[] = "bkmgBKMG";
    for (int i = 0; i < 2; i++) {
        const char *text = getenv(names[i]);
        char *end = NULL;
        const unsigned long long n = text ? strtoull(text, &end, 10) : 0;
        if (!n) continue;
        while (*end == ' ') end++;
        const char *unit = *end ? strchr(units, *end) : units + 1;
        const int shift = unit ? 10 * (int)((unit - units) % 4) : 0;
        return n > SIZE_MAX >> shift ? SIZE_MAX : (size_t)n << shift;
    }
    pthread_attr_t attributes;
    size_t size = LRC_STACK;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &size);
        (void)pthread_attr_destroy(&attributes);
    }
    return size;
}
