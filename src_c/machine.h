/* machine.h: instruction sets and threads: a part of lrcore.h, which includes it. */

#ifndef LRC_MACHINE_H
#define LRC_MACHINE_H

/* Instruction sets: the tables of this build, best last.  lrc_isa() is the one in use:
 * the environment's LRCORE_ISA where that runs here, else the best that does.
 * lrc_set_isa() chooses another, and returns 0, or -1 where this build or processor has
 * no such table; NULL chooses as at first. */
size_t lrc_isa_count(void);
const char *lrc_isa_name(size_t i);
int lrc_isa_runs(size_t i);
const char *lrc_isa(void);
int lrc_set_isa(const char *name);

/* Threads: 1 in a build without OpenMP.  lrc_set_num_threads(0) returns to the default:
 * OpenMP's own (OMP_NUM_THREADS, threadpoolctl), but no more than the processor affinity
 * allows now, and than lrc_limit_threads() says (0: any number). */
int lrc_num_threads(void);
void lrc_set_num_threads(int n);
void lrc_limit_threads(int n);
int lrc_has_openmp(void);

#endif
