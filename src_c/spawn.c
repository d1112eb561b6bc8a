/* spawn.c: see spawn.h. */

#include "spawn.h"

/* Wait until all threads of a trial are made. */
static void wait_for_all(void *all_made)
{
    while (!atomic_load((atomic_uint *)all_made)) lrc_sleep_while(all_made, 0);
}

int lrc_can_spawn(int n, size_t stack)
{
    enum { MOST = 1024 }; /* more are not tried, but asked for */
    lrc_thread threads[MOST];
    atomic_uint all_made = 0;
    int made = 0;
    if (n > MOST) n = MOST;
    while (made < n && !lrc_spawn(threads + made, stack, wait_for_all, &all_made))
        made++;
    atomic_store(&all_made, 1);
    lrc_wake(&all_made);
    for (int i = 0; i < made; i++) lrc_join(threads + i);
    return made == n;
}
