// Vectors of 32-bit lanes, and dot products of four bytes per lane, exact on every instruction set.
//
//   dot(acc, u, s)        acc[i] + sum of u[4i+j] * s[4i+j], j = 0..3; u unsigned, s signed
//   dot_small(acc, u, s)  the same where no u exceeds 128
//
// vpmaddubsw saturates its sums of two products at 16 bits: 2 * 128 * 127 = 32,512 fits, larger u
// do not and are widened first. VNNI's vpdpbusd has no such limit.

#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
typedef int32_t vec __attribute__((vector_size(4 * LANES)));

#if defined(__AVX512BW__)
#include <immintrin.h>
#define V(name) _mm512_##name
typedef __m512i bytes;
#elif defined(__AVX2__)
#include <immintrin.h>
#define V(name) _mm256_##name
typedef __m256i bytes;
#endif

#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define DOT "AVX512-VNNI"
static inline vec dot(vec acc, vec u, vec s) {
  return (vec)_mm512_dpbusd_epi32((bytes)acc, (bytes)u, (bytes)s);
}
#define dot_small dot

#elif defined(__AVX2__) && !defined(__AVX512BW__) && defined(__AVXVNNI__)
#define DOT "AVX-VNNI"
static inline vec dot(vec acc, vec u, vec s) {
  return (vec)_mm256_dpbusd_avx_epi32((bytes)acc, (bytes)u, (bytes)s);
}
#define dot_small dot

#elif defined(__AVX2__)
#if LANES == 16
#define DOT "AVX512BW"
#else
#define DOT "AVX2"
#endif
static inline vec dot_small(vec acc, vec u, vec s) {
  const bytes pairs = V(maddubs_epi16)((bytes)u, (bytes)s);
  return acc + (vec)V(madd_epi16)(pairs, V(set1_epi16)(1));
}
static inline vec dot(vec acc, vec u, vec s) {
  const bytes low = V(srai_epi16)(V(slli_epi16)((bytes)s, 8), 8);
  const bytes even = V(madd_epi16)((bytes)(u & 0x00FF00FF), low);
  const bytes odd = V(madd_epi16)(V(srli_epi16)((bytes)u, 8), V(srai_epi16)((bytes)s, 8));
  return acc + (vec)even + (vec)odd;
}

#else
#define DOT "plain C"
static inline vec dot(vec acc, vec u, vec s) {  // 16 bits hold one product: 255 * 127 = 32,385
  typedef int16_t pairs __attribute__((vector_size(4 * LANES)));
  const vec even = (vec)((pairs)(u & 0x00FF00FF) * (((pairs)s << 8) >> 8));
  const vec odd = (vec)((pairs)((u >> 8) & 0x00FF00FF) * ((pairs)s >> 8));
  return acc + (((even << 16) >> 16) + (even >> 16)) + (((odd << 16) >> 16) + (odd >> 16));
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
#ifdef V
  return (vec)V(set1_epi32)(value);
#else
  return (vec){0} + value;
#endif
}

static inline vec four_bytes(const void *from) {  // the same four in every lane
  int32_t value;
  memcpy(&value, from, sizeof value);
  return repeat(value);
}

static inline vec larger(vec a, vec b) {
#ifdef V
  return (vec)V(max_epi32)((bytes)a, (bytes)b);
#else
  const vec mask = a > b;
  return (a & mask) | (b & ~mask);
#endif
}

static inline vec smaller(vec a, vec b) { return ~larger(~a, ~b); }

static inline int32_t largest_lane(vec value) {
  int32_t lanes[LANES], most;
  store(lanes, value);
  most = lanes[0];
  for (int i = 1; i < LANES; i++) most = lanes[i] > most ? lanes[i] : most;
  return most;
}

static inline int32_t sum_of_lanes(vec value) {
  int32_t lanes[LANES], sum = 0;
  store(lanes, value);
  for (int i = 0; i < LANES; i++) sum += lanes[i];
  return sum;
}

static inline vec lookup32(const int32_t *table, vec index) {  // of 32 entries
#if LANES == 16
  return (vec)_mm512_permutex2var_epi32((bytes)load(table), (bytes)index, (bytes)load(table + 16));
#elif defined(V)
  return (vec)_mm256_i32gather_epi32(table, (bytes)index, 4);
#else
  for (int i = 0; i < LANES; i++) index[i] = table[index[i]];
  return index;
#endif
}

static inline void store_bytes(void *to, vec value) {  // the low byte of every lane
  typedef int8_t narrow __attribute__((vector_size(LANES)));
  const narrow low = __builtin_convertvector(value, narrow);
  memcpy(to, &low, sizeof low);
}
