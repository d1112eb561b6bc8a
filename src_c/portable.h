/* portable.h: the only #ifdefs on compilers, processors and systems, and the only
 * attributes and builtins that are not of C11.  docs/understand/portability.md lists
 * the targets. */

#ifndef LRC_PORTABLE_H
#define LRC_PORTABLE_H

#include <float.h>
#include <stdint.h>
#include <string.h>

/* clang-cl has the GNU attributes and builtins too, but does not call itself GNU. */
#if !defined __GNUC__ && !defined __clang__
#error "lrcore needs gcc or clang (on Windows also clang-cl), for their attributes"
#endif
/* 0 and 16 both mean that float is computed in float (16: and _Float16 in _Float16). */
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "lrcore needs float arithmetic in float: -msse2 -mfpmath=sse (32-bit x86), \
-fexcess-precision=fast (s390x)"
#endif
#ifdef __FAST_MATH__
#error "lrcore is exact: build it without -ffast-math"
#endif

/* The file of systems/ that system.c includes. */
#ifndef SYSTEM
#if defined __linux__
#define SYSTEM "systems/linux.inc"
#elif defined _WIN32
#define SYSTEM "systems/windows.inc"
#elif defined __wasm__ && !defined __EMSCRIPTEN_PTHREADS__
#define SYSTEM "systems/single.inc"
#else
#define SYSTEM "systems/posix.inc"
#endif
#endif

/* The instruction sets that kernels.c is compiled for, best last, and the features that
 * each needs: exactly those that its flags let the compiler use.  The builtins also
 * check that the operating system saves the wider registers.  gcc for Windows aligns
 * the stack to 16 bytes, but stores 32-byte vectors there as if it were aligned to 32
 * (gcc's bug 54412). */
#if defined __x86_64__ && !defined BASELINE_ONLY &&                                    \
    !(defined _WIN32 && !defined __clang__)
#define FOR_EACH_ISA(X)                                                                \
    X(baseline, 1)                                                                     \
    X(avx2, __builtin_cpu_supports("avx2"))                                            \
    X(avx512,                                                                          \
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&       \
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#else
#define FOR_EACH_ISA(X) X(baseline, 1)
#endif

/* The driver must be inlined into each kernel; otherwise it would call the rule through
 * a pointer. */
#define INLINE inline __attribute__((always_inline))
/* What every kernel calls and few need is there once. */
#define NOINLINE __attribute__((noinline))
/* A function that takes a format of printf() and its values, as those arguments. */
#define FORMATS(text, values) __attribute__((format(printf, text, values)))

/* A function that runs when the library is loaded; and one that runs when it is
 * unloaded, or at the program's exit.  Windows ends a process's threads by itself, and
 * its library stays loaded while it has threads (systems/windows.inc), so that the
 * second has nothing to do there. */
#define AT_LOAD __attribute__((constructor))
#ifdef _WIN32
#define AT_UNLOAD __attribute__((unused))
#else
#define AT_UNLOAD __attribute__((destructor))
#endif

/* A function that the library exports, though it is built with -fvisibility=hidden. */
#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* Prefetch element i of an array.  The address is computed as an integer, since it may
 * lie past the array's end, where a pointer would be undefined; prefetching it is
 * harmless. */
#define PREFETCH(array, i)                                                             \
    __builtin_prefetch((const void *)((uintptr_t)(array) + (i) * sizeof *(array)), 0, 2)

/* The floating-point mode of a thread.  Kernels round to nearest, with exceptions
 * masked and subnormals either kept or flushed to zero (as inputs and as results;
 * x86-64 and aarch64 only).  fp_enter() sets this mode and returns the previous one,
 * for fp_leave(); fp_get() returns the mode.
 *
 * The register of x86-64 also has the flags of past exceptions, which fp_enter() leaves
 * as they are: if it cleared them, the next fp_get() would wait for all arithmetic
 * under way.  In a process that has the flag of underflow, as Python with NumPy, an
 * Adam step of 10 floats would take 190 ns instead of 110 (Sapphire Rapids). */
#if defined __x86_64__
#include <emmintrin.h>
typedef unsigned int fp_mode;
static inline fp_mode fp_get(void) { return _mm_getcsr(); }
static inline void fp_leave(fp_mode caller) { _mm_setcsr(caller); }
static inline fp_mode fp_enter(int keep_subnormals)
{
    enum { FLAGS = 0x3f, DEFAULT = 0x1f80, FLUSH = 0x8040 };
    const fp_mode caller = fp_get(), flags = caller & FLAGS;
    _mm_setcsr(flags | (keep_subnormals ? DEFAULT : DEFAULT | FLUSH));
    return caller;
}

#elif defined __aarch64__
typedef uint64_t fp_mode;
static inline fp_mode fp_get(void)
{
    fp_mode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static inline void fp_leave(fp_mode caller)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(caller));
}
static inline fp_mode fp_enter(int keep_subnormals)
{
    const fp_mode caller = fp_get(), flush = 1 << 24;
    fp_leave(keep_subnormals ? 0 : flush);
    return caller;
}

#elif defined __wasm__ /* has no modes: it rounds to nearest, and keeps subnormals */
typedef int fp_mode;
static inline fp_mode fp_get(void) { return 0; }
static inline void fp_leave(fp_mode caller) { (void)caller; }
static inline fp_mode fp_enter(int keep_subnormals)
{
    (void)keep_subnormals;
    return 0;
}

#else /* C's default mode, which keeps subnormals */
#include <fenv.h>
typedef fenv_t fp_mode;
static inline fp_mode fp_get(void)
{
    fp_mode mode;
    (void)fegetenv(&mode);
    return mode;
}
static inline void fp_leave(fp_mode caller) { (void)fesetenv(&caller); }
static inline fp_mode fp_enter(int keep_subnormals)
{
    const fp_mode caller = fp_get();
    (void)keep_subnormals;
    (void)fesetenv(FE_DFL_ENV);
    return caller;
}
#endif

/* Copy n bytes to an address that is aligned to 64 bytes, and is not read again soon.
 * A usual store reads a line into the cache before it writes it; these stores do not,
 * so that a copy moves two thirds of the bytes.  Four streams side by side let the
 * loads of one go on while the stores of another wait. */
#if defined __x86_64__
static inline void stream_copy(char *to, const char *of, size_t n)
{
    enum { LINE = 64, STREAMS = 4, VECTORS = LINE / sizeof(__m128i) };
    const size_t part = n / STREAMS / LINE * LINE;
    for (size_t i = 0; i < part; i += LINE)
        for (size_t at = i; at < STREAMS * part; at += part) {
            __m128i line[VECTORS];
            memcpy(line, of + at, LINE);
            for (size_t k = 0; k < VECTORS; k++)
                _mm_stream_si128((__m128i *)(to + at) + k, line[k]);
        }
    memcpy(to + STREAMS * part, of + STREAMS * part, n - STREAMS * part);
    _mm_sfence(); /* other threads see these stores before those that follow */
}
#else
static inline void stream_copy(char *to, const char *of, size_t n)
{
    memcpy(to, of, n);
}
#endif

#endif
