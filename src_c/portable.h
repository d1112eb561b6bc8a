/* portable.h: the only #ifdefs on compilers and processors. */

#ifndef LRC_PORTABLE_H
#define LRC_PORTABLE_H

#include <float.h>
#include <stdint.h>
#include <string.h>

/* 0 and 16 both mean that float is computed in float (16: and _Float16 in _Float16). */
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "lrcore needs float arithmetic in float, not in x87's long double"
#endif
#ifdef __FAST_MATH__
#error "lrcore is exact: build it without -ffast-math"
#endif

/* The instruction sets that setup.py compiles kernels.c for, best last, and the
 * features that each needs: exactly those that its flags let the compiler use.  The
 * builtins also check that the operating system saves the wider registers. */
#if defined(__x86_64__)
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

/* Prefetch element i of an array.  The address is computed as an integer, since it may
 * lie past the array's end, where a pointer would be undefined; prefetching it is
 * harmless. */
#define PREFETCH(array, i)                                                             \
    __builtin_prefetch((const void *)((uintptr_t)(array) + (i) * sizeof *(array)), 0, 2)

/* The floating-point mode of a thread.  Kernels round to nearest, with exceptions
 * masked and subnormals either kept or flushed to zero (as inputs and as results;
 * x86-64 and aarch64 only).  fp_enter() sets this mode and returns the previous one,
 * for fp_leave(). */
#if defined(__x86_64__)
#include <emmintrin.h>
typedef unsigned int fp_mode;
enum { FP_DEFAULT = 0x1f80, FP_FLUSH = 0x8040 };
static inline fp_mode fp_get(void) { return _mm_getcsr(); }
static inline void fp_set(fp_mode mode) { _mm_setcsr(mode); }

#elif defined(__aarch64__)
typedef unsigned long fp_mode;
enum { FP_DEFAULT = 0, FP_FLUSH = 1 << 24 };
static inline fp_mode fp_get(void)
{
    fp_mode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static inline void fp_set(fp_mode mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}

#else /* no such mode here: subnormals are always kept */
typedef int fp_mode;
enum { FP_DEFAULT = 0, FP_FLUSH = 0 };
static inline fp_mode fp_get(void) { return 0; }
static inline void fp_set(fp_mode mode) { (void)mode; }
#endif

/* Copy n bytes to an address that is aligned to 64 bytes, and is not read again soon.  A
 * usual store reads a line into the cache before it writes it; these stores do not, so
 * that a copy moves two thirds of the bytes.  Four streams side by side let the loads of
 * one go on while the stores of another wait. */
#if defined(__x86_64__)
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

static inline fp_mode fp_enter(int keep_subnormals)
{
    const fp_mode caller = fp_get();
    fp_set(keep_subnormals ? FP_DEFAULT : FP_DEFAULT | FP_FLUSH);
    return caller;
}
static inline void fp_leave(fp_mode caller) { fp_set(caller); }

#endif
