// One vector of floats under the instruction set that this file is compiled for. Operators + - * are the compiler's.
#pragma once

#include <immintrin.h>

namespace {

// A NaN must stay one, as in PyTorch: a logit that became a number again would be counted. The instruction for a maximum
// returns its second operand where one is NaN; so `at_least` takes the floor, which is none, first, and `larger`, both of
// whose operands may be one, costs two instructions more.
#if defined(__AVX512F__)
using Vec = __m512;
inline Vec load(const float *p) { return _mm512_loadu_ps(p); }
inline void store(float *p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec broadcast(float x) { return _mm512_set1_ps(x); }
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec larger(Vec a, Vec b) {
  return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}
inline Vec at_least(Vec floor, Vec x) { return _mm512_max_ps(floor, x); }
#else
using Vec = __m256;
inline Vec load(const float *p) { return _mm256_loadu_ps(p); }
inline void store(float *p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec broadcast(float x) { return _mm256_set1_ps(x); }
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec larger(Vec a, Vec b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
inline Vec at_least(Vec floor, Vec x) { return _mm256_max_ps(floor, x); }
#endif

constexpr int kVector = sizeof(Vec) / sizeof(float);

inline Vec zero() { return broadcast(0.0f); }

constexpr int min(int a, int b) { return a < b ? a : b; }
constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
constexpr int round_up(int a, int b) { return ceil_div(a, b) * b; }

// max(0, scale x + shift), channel by channel: a batch norm and its ReLU. `scale` null: x as it is.
struct Prologue {
  const float *scale, *shift;
  template <bool Normalise>
  Vec apply(Vec x, int channel) const {
    return Normalise ? at_least(zero(), multiply_add(x, load(scale + channel), load(shift + channel))) : x;
  }
};

}  // namespace
