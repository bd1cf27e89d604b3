#ifndef SID_CVECTOR_SHIM_H
#define SID_CVECTOR_SHIM_H

// Vector instructions that Swift's SIMD types reach only lane by lane. Swift sees these types as SIMD8<Float> and
// SIMD16<Float>.
typedef float sid_float8 __attribute__((ext_vector_type(8)));
typedef float sid_float16 __attribute__((ext_vector_type(16)));

#define SID_INLINE static inline __attribute__((always_inline))

/// a * b + c in one rounding.
SID_INLINE sid_float8 sid_fma8(sid_float8 a, sid_float8 b, sid_float8 c) { return __builtin_elementwise_fma(a, b, c); }
SID_INLINE sid_float16 sid_fma16(sid_float16 a, sid_float16 b, sid_float16 c) {
  return __builtin_elementwise_fma(a, b, c);
}

/// The square root of each lane.
SID_INLINE sid_float8 sid_sqrt8(sid_float8 a) { return __builtin_elementwise_sqrt(a); }

/// Asks for a cache line that will soon be read.
SID_INLINE void sid_prefetch(const void *address) { __builtin_prefetch(address); }

/// Tells the processor that this thread is waiting for another.
SID_INLINE void sid_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
