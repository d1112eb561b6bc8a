/* spawn.c: see spawn.h. */

#define _GNU_SOURCE /* for pthread_sigmask */
#include "spawn.h"

#include <ctype.h>
#include <errno.h>
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
        /* The program's own threads handle its signals.  A fault must reach the thread
         * that makes it: the process goes on without end if it is blocked. */
        sigfillset(&all);
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            sigdelset(&all, faults[i]);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(thread, &attributes, run, ctx);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return error;
}

/* The work of a thread of a trial: to wait until all of them are made. */
static void *wait_for_all(void *lock)
{
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

int lrc_can_spawn(int n, size_t stack)
{
    enum { MOST = 1024 }; /* a larger n is judged by a trial of this many */
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

/* The bytes that a variable asks for: a number of kB, or one with a unit.  0 where libgomp
 * ignores it, as it is no number, has other letters behind it or does not fit. */
static size_t asked(const char *text)
{
    static const char units[] = "bkmgBKMG";
    char *end;
    if (!text) return 0;
    errno = 0;
    const unsigned long n = strtoul(text, &end, 10);
    if (errno || end == text) return 0;
    while (isspace((unsigned char)*end)) end++;
    int shift = 10;
    if (*end) {
        const char *unit = strchr(units, *end);
        if (!unit) return 0;
        shift = 10 * (int)((unit - units) % 4);
        do end++;
        while (isspace((unsigned char)*end));
        if (*end) return 0;
    }
    return n > SIZE_MAX >> shift ? 0 : (size_t)n << shift;
}

size_t lrc_openmp_stack(void)
{
    size_t size = asked(getenv("OMP_STACKSIZE"));
    if (!size) size = asked(getenv("GOMP_STACKSIZE"));
    if (size) return size;
    pthread_attr_t attributes;
    size = LRC_STACK;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &size);
        (void)pthread_attr_destroy(&attributes);
    }
    return size;
}
