/* forked.c: processes that are forked, whose parents take steps by several threads.
 *
 *     forked fork     a child takes steps, and so does its child
 *     forked amid     children are forked while another thread takes steps
 *
 * Prints "same" if all params are those of steps by one thread. */

#define _GNU_SOURCE /* for usleep */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

static int forked(run *r, int depth)
{
    int status = 0;
    begin(r, 2);
    steps(r, STEPS / 2);
    const pid_t child = depth > 0 ? fork() : -1;
    steps(r, STEPS / 2);
    if (child == 0) exit(!forked(r, depth - 1));
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0)) return 0;
    return is_wanted(r);
}

static void *take_steps_for_ever(void *made)
{
    for (;;) steps(made, 1);
    return NULL;
}

static int tasks(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n - 2; /* "." and ".." */
}

/* Each child has threads of its own, whatever the pool was doing. */
static int amid(run *r)
{
    pthread_t thread;
    int status = 0, same = 1;
    begin(r, 2);
    begin(r + 1, 2);
    if (pthread_create(&thread, NULL, take_steps_for_ever, r + 1)) abort();
    for (int k = 0; k < 20 && same; k++) {
        usleep(1000);
        const pid_t child = fork();
        if (child == 0) {
            steps(r, STEPS);
            _exit(!(is_wanted(r) && tasks() == 2));
        }
        same = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    }
    return same;
}

int main(int argc, char **argv)
{
    run *r = begin_all(2);
    const char *way = argc > 1 ? argv[1] : "";
    int same = 0;
    if (!r) return 1;
    if (strcmp(way, "fork") == 0) same = forked(r, 2);
    if (strcmp(way, "amid") == 0) same = amid(r);
    printf("%s\n", same ? "same" : "different");
    return !same; /* r is left to the threads that may use it */
}
