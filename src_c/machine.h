/* machine.h: instruction sets and threads; a part of lrcore.h, which includes it. */

#ifndef LRC_MACHINE_H
#define LRC_MACHINE_H

/* The instruction sets of this build, best last.  lrc_isa() names the one in use: that
 * of the environment variable LRCORE_ISA if it runs here, otherwise the best that runs.
 * lrc_set_isa() chooses another and returns 0, or -1 if this build or processor does
 * not have it; lrc_set_isa(NULL) returns to the default. */
size_t lrc_isa_count(void);
const char *lrc_isa_name(size_t i);
int lrc_isa_runs(size_t i);
const char *lrc_isa(void);
int lrc_set_isa(const char *name);

/* Threads.
 *
 * Two things make them.  The pool makes its own in the first step that needs them, with
 * all signals but faults blocked and a stack of 1 MiB, and ends them at exit or when the
 * library is unloaded; if the system refuses a thread, steps go on with fewer.  OpenMP
 * would end the process then.  So lrcore tries first whether its threads can be had; if
 * not, or if their stacks are below 256 KiB (OMP_STACKSIZE), the pool does the work.
 *
 * A child process has none of the threads.  The pool makes its own there, but libgomp
 * would wait for them forever.  So before each fork of a process that has stepped by
 * several threads of OpenMP, lrcore ends them with
 * omp_pause_resource_all(omp_pause_soft); the next parallel region, in parent and child,
 * makes new ones (0.5 ms).  The host program loses the threadprivate data of the ended
 * threads, and nothing else. */

/* What runs a step in several threads: "pool", lrcore's own threads; "openmp", if this
 * build has it; or "serial", which makes none.  lrc_threading() names the one in use:
 * that of the environment variable LRCORE_THREADING, otherwise the first.
 * lrc_set_threading() chooses another and returns 0, or -1 if this build does not have
 * it; lrc_set_threading(NULL) returns to the default.  The results are the same bits. */
size_t lrc_threading_count(void);
const char *lrc_threading_name(size_t i);
const char *lrc_threading(void);
int lrc_set_threading(const char *name);

/* The number of threads of a step.  lrc_set_num_threads(0) returns to the default: the
 * number of OpenMP (OMP_NUM_THREADS, OMP_THREAD_LIMIT, threadpoolctl), if the build has
 * it, or fewer if the processor affinity or lrc_limit_threads() allow fewer
 * (lrc_limit_threads(0): no limit).
 * lrc_threads_refused() tells whether the system has refused to make a thread for the
 * pool: steps go on with those that it has, and the process asks for no more.  It is 0
 * where only OpenMP's threads are not to be had, and the pool has all that it asked for:
 * then no step has fewer. */
int lrc_num_threads(void);
void lrc_set_num_threads(int n);
int lrc_num_threads_set(void); /* by lrc_set_num_threads(); 0: the default */
void lrc_limit_threads(int n);
int lrc_threads_refused(void);
int lrc_has_openmp(void);

#endif
