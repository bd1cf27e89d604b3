#ifndef SID_CVECTOR_SHIM_H
#define SID_CVECTOR_SHIM_H

// Vector instructions that Swift's SIMD types reach only lane by lane. The importing module says how wide a vector is: Swift
// sees SIMD16<Float> or SIMD8<Float>. Where the instruction set that it is built for has no such registers, the compiler
// takes several.
//
// Everything here is inlined where it is used, so that no symbol of it exists that two modules could share.
#ifndef SID_LANES
#define SID_LANES 8
#endif
typedef float sid_vector __attribute__((ext_vector_type(SID_LANES)));

#define SID_INLINE static inline __attribute__((always_inline))

/// a * b + c in one rounding.
SID_INLINE sid_vector sid_multiply_add(sid_vector a, sid_vector b, sid_vector c) {
  return __builtin_elementwise_fma(a, b, c);
}

/// The square root of each lane.
SID_INLINE sid_vector sid_square_root(sid_vector a) { return __builtin_elementwise_sqrt(a); }

/// The first `count` lanes from memory, the others zero; fewer than all. Nothing behind them is read.
SID_INLINE sid_vector sid_load_part(const float *p, int count) {
#if SID_LANES == 16 && defined(__AVX512F__)
  typedef float v16 __attribute__((vector_size(64), aligned(4)));
  return __builtin_ia32_loadups512_mask((const v16 *)p, (v16){}, (unsigned short)((1u << count) - 1));
#elif SID_LANES == 8 && defined(__AVX2__)
  typedef int lanes __attribute__((vector_size(32)));
  typedef float v8 __attribute__((vector_size(32)));
  const lanes index = {0, 1, 2, 3, 4, 5, 6, 7};
  return __builtin_ia32_maskloadps256((const v8 *)p, (lanes)(index < count));
#else
  sid_vector v = 0;
  for (int i = 0; i < count; i++) v[i] = p[i];
  return v;
#endif
}

/// Writes the first `count` lanes; fewer than all.
SID_INLINE void sid_store_part(float *p, sid_vector v, int count) {
#if SID_LANES == 16 && defined(__AVX512F__)
  typedef float v16 __attribute__((vector_size(64), aligned(4)));
  __builtin_ia32_storeups512_mask((v16 *)p, v, (unsigned short)((1u << count) - 1));
#elif SID_LANES == 8 && defined(__AVX2__)
  typedef int lanes __attribute__((vector_size(32)));
  typedef float v8 __attribute__((vector_size(32)));
  const lanes index = {0, 1, 2, 3, 4, 5, 6, 7};
  __builtin_ia32_maskstoreps256((v8 *)p, (lanes)(index < count), v);
#else
  for (int i = 0; i < count; i++) p[i] = v[i];
#endif
}

/// The sum of all lanes, halves first.
SID_INLINE float sid_sum(sid_vector v) {
#if SID_LANES == 16
  typedef float half __attribute__((ext_vector_type(8)));
  half h = v.lo + v.hi;
#else
  sid_vector h = v;
#endif
  typedef float quarter __attribute__((ext_vector_type(4)));
  quarter q = h.lo + h.hi;
  return (q.x + q.z) + (q.y + q.w);
}

/// The largest lane.
SID_INLINE float sid_largest(sid_vector v) { return __builtin_reduce_max(v); }

/// The lower, or the upper, halves of two vectors, lane by lane in turns.
#if SID_LANES == 16
SID_INLINE sid_vector sid_zip_low(sid_vector a, sid_vector b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
SID_INLINE sid_vector sid_zip_high(sid_vector a, sid_vector b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#else
SID_INLINE sid_vector sid_zip_low(sid_vector a, sid_vector b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
SID_INLINE sid_vector sid_zip_high(sid_vector a, sid_vector b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
#endif

/// Asks for a cache line that will soon be read.
SID_INLINE void sid_prefetch(const void *address) { __builtin_prefetch(address); }

/// Asks for a cache line that will soon be written.
SID_INLINE void sid_prefetch_write(const void *address) { __builtin_prefetch(address, 1); }

/// Asks for a cache line that will be read a little later, into the second cache.
SID_INLINE void sid_prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

/// Tells the processor that this thread is waiting for another.
SID_INLINE void sid_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
