// Dot products of four bytes per 32-bit lane, exact on every instruction set.
//
//   dot(acc, u, s)        acc[i] + sum of u[4i+j] * s[4i+j], j = 0..3; u unsigned, s signed
//   dot_small(acc, u, s)  the same where no u exceeds 128
//
// vpmaddubsw saturates its sums of two products at 16 bits: 2 * 128 * 127 = 32,512 fits, larger u
// do not and are widened first. VNNI's vpdpbusd has no such limit.

#include <stdint.h>
#include <string.h>

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#define DOT "AVX512-VNNI"
#define LANES 16
typedef __m512i vec;
static inline vec dot(vec acc, vec u, vec s) { return _mm512_dpbusd_epi32(acc, u, s); }
#define dot_small dot

#elif defined(__AVX512BW__)
#include <immintrin.h>
#define DOT "AVX512BW"
#define LANES 16
typedef __m512i vec;
static inline vec dot_small(vec acc, vec u, vec s) {
  vec pairs = _mm512_maddubs_epi16(u, s);
  return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
static inline vec dot(vec acc, vec u, vec s) {
  vec even = _mm512_madd_epi16(_mm512_and_si512(u, _mm512_set1_epi16(255)),
                               _mm512_srai_epi16(_mm512_slli_epi16(s, 8), 8));
  vec odd = _mm512_madd_epi16(_mm512_srli_epi16(u, 8), _mm512_srai_epi16(s, 8));
  return _mm512_add_epi32(acc, _mm512_add_epi32(even, odd));
}

#elif defined(__AVX2__)
#include <immintrin.h>
#define LANES 8
typedef __m256i vec;
#if defined(__AVXVNNI__)
#define DOT "AVX-VNNI"
static inline vec dot(vec acc, vec u, vec s) { return _mm256_dpbusd_avx_epi32(acc, u, s); }
#define dot_small dot
#else
#define DOT "AVX2"
static inline vec dot_small(vec acc, vec u, vec s) {
  vec pairs = _mm256_maddubs_epi16(u, s);
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static inline vec dot(vec acc, vec u, vec s) {
  vec even = _mm256_madd_epi16(_mm256_and_si256(u, _mm256_set1_epi16(255)),
                               _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
  vec odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));
  return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}
#endif

#else
#define DOT "plain C"
#define LANES 8
typedef int32_t vec __attribute__((vector_size(4 * LANES)));
static inline vec dot(vec acc, vec u, vec s) {
  for (int j = 0; j < 4; j++) acc += ((u >> 8 * j) & 255) * ((s << 8 * (3 - j)) >> 24);
  return acc;
}
#define dot_small dot
#endif

#define LANE_BYTES (4 * LANES)

static inline vec load(const void *from) {
  vec value;
  memcpy(&value, from, sizeof value);
  return value;
}

static inline void store(void *to, vec value) { memcpy(to, &value, sizeof value); }

static inline vec repeat(int32_t value) {  // in every lane
#if LANES == 16
  return _mm512_set1_epi32(value);
#elif defined(__AVX2__)
  return _mm256_set1_epi32(value);
#else
  return (vec){0} + value;
#endif
}

static inline vec four_bytes(const void *from) {  // the same four in every lane
  int32_t value;
  memcpy(&value, from, sizeof value);
  return repeat(value);
}
