// Matrix products, and arith.py's functions of single values: requantization, RMSNorm, EXP2.

#include "stream_model.h"

static inline int32_t low_high(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

static inline int64_t half_of(int shift) { return shift ? (int64_t)1 << (shift - 1) : 0; }

static inline int floor_log2(uint64_t value) { return 63 - __builtin_clzll(value); }

// Accumulators of all rows. Fields of fewer than 8 bits are multiplied where they lie in the byte:
// every other one makes a sum that is exact times a power of two.
static inline __attribute__((always_inline)) void rows(
    int32_t *acc, const uint8_t *weights, const int8_t *x, int in, int out, int bits,
    int32_t correction) {
  enum { CHAINS = 2 };
  const int vectors = bits / 2, fields = 8 / bits;
  for (int block = 0; block < out; block += BLOCK) {
    vec sum[CHAINS][4];
    for (int i = 0; i < CHAINS; i++)
      for (int j = 0; j < 4; j++) sum[i][j] = repeat(0);
    for (int i = 0; i < in; i += 4 * CHAINS)
#pragma GCC unroll 2
      for (int chain = 0; chain < CHAINS; chain++) {
        const vec four = four_bytes(x + i + 4 * chain);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++, weights += LANE_BYTES) {
          const vec packed = load(weights);
          if (bits == 8) sum[chain][v] = dot(sum[chain][v], packed, four);
          else
#pragma GCC unroll 4
            for (int f = 0; f < fields; f++) {
              const vec field = packed & repeat(0x01010101 * (((1 << bits) - 1) << bits * f));
              vec *s = &sum[chain][v * fields + f];
              *s = dot_small(*s, field, four);
            }
        }
      }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
      store(acc + block + j * LANES, ((sum[0][j] + sum[1][j]) >> (bits * j) % 8) - correction);
  }
}

static void multiply(int32_t *acc, const struct matrix *m, const int8_t *x, int32_t sum, int in,
                     int out) {
  sum *= m->offset;
  if (m->bits == 2) rows(acc, m->weights, x, in, out, 2, sum);
  else if (m->bits == 4) rows(acc, m->weights, x, in, out, 4, sum);
  else rows(acc, m->weights, x, in, out, 8, sum);
}

static inline int32_t sum_of(const int8_t *x, int size) {
  vec sum = repeat(0);
  for (int i = 0; i < size; i += LANE_BYTES) sum = dot(sum, repeat(0x01010101), load(x + i));
  return sum_of_lanes(sum);
}

// clamp((acc * mult + half) >> shift, low, high)
static inline int32_t requantize(int32_t acc, uint8_t mult, project_t half, int shift, int low,
                                 int high) {
  const project_t value = ((project_t)acc * mult + half) >> shift;
  return value < low ? low : value > high ? high : value;
}

static inline void to_int8(int8_t *restrict y, const int32_t *restrict acc,
                           const struct matrix *m, int size, int low) {
  const uint8_t *restrict mult = m->mult;
  const int shift = m->shift;
  const project_t half = half_of(shift);
  for (int i = 0; i < size; i++) y[i] = requantize(acc[i], mult[i], half, shift, low, ACT_MAX);
}

static inline void to_residual(int32_t *restrict residual, const int32_t *restrict acc,
                               const struct matrix *m) {
  const uint8_t *restrict mult = m->mult;
  const int shift = m->shift;
  const project_t half = half_of(shift);
  for (int i = 0; i < MODEL_PAD; i++) {
    const int32_t more = requantize(acc[i], mult[i], half, shift, -RESIDUAL_MAX, RESIDUAL_MAX);
    residual[i] = low_high(residual[i] + more, -RESIDUAL_MAX, RESIDUAL_MAX);
  }
}

static inline void normalize(int8_t *restrict y, const int32_t *restrict x,
                             const struct norm *norm, const int32_t *table) {
  uint64_t squares = 0;
  for (int i = 0; i < MODEL_PAD; i++) squares += (uint32_t)(x[i] * x[i]);
  if (!squares) squares = 1;
  const int e = floor_log2(squares) / 2, shift = norm->shift;
  const uint64_t index = e < 3 ? squares << 2 * (3 - e) : squares >> 2 * (e - 3);
  const norm_t r = table[index], half = half_of(e), gain_half = half_of(shift);
  const int8_t *restrict gain = norm->gain;
  for (int i = 0; i < MODEL_PAD; i++) {
    const norm_t u = (x[i] * r + half) >> e;
    const norm_t value = (u * gain[i] + gain_half) >> shift;
    y[i] = value < -ACT_MAX ? -ACT_MAX : value > ACT_MAX ? ACT_MAX : value;
  }
}

// arith.EXP2 of 0..511: 32nds of an octave out of the table of 16 more bits, octaves by shifting.
static inline vec exp2_of(const int32_t *table, vec distance) {
  const vec octave = distance >> 5;
  return (lookup32(table, distance & 31) + ((vec)repeat(1 << 15) << octave)) >> (octave + 16);
}
