/* threads_serial.c: the back end with one thread, for compilers without OpenMP. */

#include "lrcore.h"
#include "threads.h"

int lrc_has_openmp(void) { return 0; }

int lrc_usual_threads(void) { return 1; }

int lrc_processors(void) { return 1; }

void lrc_parallel(int n_threads, void (*fn)(void *, const lrc_team *), void *ctx)
{
    const lrc_team alone = {0, 1};
    (void)n_threads;
    fn(ctx, &alone);
}

void lrc_meet(const lrc_team *team) { (void)team; }
