// Attention of one position to itself and those before it, in the KV cache.

#include "stream_values.h"

static void remember(struct stream *s, int layer) {
  const int at = s->position, byte = 8 * (at % 4);
  for (int head = 0; head < N_HEADS; head++) {
    const int8_t *k = s->k + head * HEAD, *v = s->v + head * HEAD;
    for (int i = 0; i < HEAD; i += 4) {
      uint32_t four;
      memcpy(&four, k + i, 4);
      four ^= 0x80808080;
      memcpy(s->keys[layer][head][at / LANES][i / 4][at % LANES], &four, 4);
    }
    uint32_t *fours = (uint32_t *)s->values[layer][head][at / 4];
    for (int i = 0; i < HEAD; i++)
      fours[i] = (fours[i] & ~((uint32_t)255 << byte)) | (uint32_t)(uint8_t)v[i] << byte;
  }
}

static inline int8_t divided(int32_t acc, divide_t r, int shift) {
  const divide_t value = ((divide_t)acc * r + half_of(shift)) >> shift;
  return value < -ACT_MAX ? -ACT_MAX : value > ACT_MAX ? ACT_MAX : value;
}

static inline void attend(struct stream *s, int layer, int head) {
  enum { CHUNKS = HEAD / LANES };
  const int8_t *q = s->q + head * HEAD, *v = &s->values[layer][head][0][0][0];
  const uint8_t *k = &s->keys[layer][head][0][0][0][0];
  const int length = s->position + 1, end = PAD(length, 8);
  const int shift = s->layers[layer].score_shift;
  vec most = repeat(MASKED), total = repeat(0), lane;
  int32_t sum = 0;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  for (int i = 0; i < HEAD; i++) sum += q[i];
  for (int at = 0; at < end; at += LANES) {
    vec acc = repeat(-128 * sum);
#pragma GCC unroll 16
    for (int i = 0; i < HEAD; i += 4, k += LANE_BYTES) acc = dot(acc, load(k), four_bytes(q + i));
    const vec there = lane < length - at;
    acc = (((acc + (int32_t)half_of(shift)) >> shift) & there) | (MASKED & ~there);
    most = larger(most, acc);
    store(s->scores + at, acc);
  }
  most = repeat(largest_lane(most));
  for (int at = 0; at < end; at += LANES) {
    const vec distance = smaller(most - load(s->scores + at), repeat(EXP2_LAST));
    const vec p = exp2_of(s->exp2_table, distance);
    total += p;
    store_bytes(s->p + at, p);
  }
  vec acc[2][CHUNKS];
  for (int i = 0; i < CHUNKS; i++) acc[0][i] = acc[1][i] = repeat(0);
  for (int at = 0; at < end; at += 8)
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      const vec p = four_bytes(s->p + at + 4 * i);
#pragma GCC unroll 16
      for (int j = 0; j < CHUNKS; j++, v += LANE_BYTES) acc[i][j] = dot(acc[i][j], p, load(v));
    }
  const int32_t all = sum_of_lanes(total);
  const int e = floor_log2(all), index = (e < 8 ? all << (8 - e) : all >> (e - 8)) - TABLE;
  const divide_t r = s->reciprocal_table[index];
  for (int j = 0; j < CHUNKS; j++) {
    int32_t sums[LANES];
    int8_t *to = s->attn + head * HEAD + j * LANES;
    store(sums, acc[0][j] + acc[1][j]);
    for (int i = 0; i < LANES; i++) to[i] = divided(sums[i], r, 9 + e);
  }
}
