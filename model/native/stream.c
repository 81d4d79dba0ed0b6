// One stream of tokens: the integer function of arith.py and sampling.py with a KV cache.
//
// The shape comes as macros (VOCAB_SIZE, D_MODEL, N_HEADS, N_LAYERS, D_FF, CTX_LEN), weights,
// scales and tables in a buffer that stream_pack.py writes. WIDE_… are 1 where a product of this
// model does not fit 32 bits. Vectors are padded with zeros, which stay zeros.

#include <stdlib.h>
#include <time.h>

#include "stream_dot.h"

#define PAD(size, to) (((size) + (to) - 1) / (to) * (to))

enum {
  BLOCK = 4 * LANES,  // outputs that a matrix product computes at once
  INPUTS = 8,         // inputs to multiples of which it is padded
  HEAD_DIM = D_MODEL / N_HEADS,
  HEAD = PAD(HEAD_DIM, LANES < INPUTS ? INPUTS : LANES),
  ATTN = N_HEADS * HEAD,
  MODEL_PAD = PAD(D_MODEL, BLOCK),
  ATTN_PAD = PAD(ATTN, BLOCK),
  FF_PAD = PAD(D_FF, BLOCK),
  VOCAB_PAD = PAD(VOCAB_SIZE, BLOCK),
  CTX_PAD = PAD(CTX_LEN, 2 * LANES),
  TABLE = 256,  // entries of the tables of RMSNorm and of the reciprocal
  EXP2_TABLE = 32,
  EXP2_LAST = 511,  // larger distances count as this one
  MASKED = -(1 << 30),  // score of a position that is not there: its p is 0
  ACT_MAX = 127,
  RESIDUAL_MAX = 32767,
  RECORD = 64,  // alignment in the buffer
};

#if WIDE_PROJECT
typedef int64_t project_t;
#else
typedef int32_t project_t;
#endif
#if WIDE_NORM
typedef int64_t norm_t;
#else
typedef int32_t norm_t;
#endif
#if WIDE_DIVIDE
typedef int64_t divide_t;
#else
typedef int32_t divide_t;
#endif
#if WIDE_LOGIT
typedef int64_t logit_t;
#else
typedef int32_t logit_t;
#endif

struct matrix {
  const uint8_t *weights, *mult;
  int32_t bits, offset, shift;  // a weight is stored plus offset, in so many bits
};

struct norm {
  const int8_t *gain;
  int32_t shift;
};

struct layer {
  struct norm attn_norm, ffn_norm;
  struct matrix q_proj, k_proj, v_proj, o_proj, up_proj, down_proj;
  int32_t score_shift;
};

struct stream {
  uint8_t keys[N_LAYERS][N_HEADS][CTX_PAD / LANES][HEAD / 4][LANES][4];  // plus 128
  int8_t values[N_LAYERS][N_HEADS][CTX_PAD / 4][HEAD][4];
  int32_t residual[MODEL_PAD], acc[MODEL_PAD + ATTN_PAD + FF_PAD], logits[VOCAB_PAD];
  int8_t hidden[MODEL_PAD], attn[ATTN_PAD], ffn[FF_PAD];
  int8_t q[ATTN_PAD], k[ATTN_PAD], v[ATTN_PAD];
  int32_t scores[CTX_PAD], keys_of_logits[VOCAB_PAD], p_of_logits[VOCAB_PAD];
  uint8_t p[CTX_PAD];
  struct layer layers[N_LAYERS];
  struct norm final_norm;
  struct matrix head;  // its rows are the token embedding plus 127
  const int8_t *token_embedding, *position_embedding;
  const int32_t *rms_table, *reciprocal_table, *exp2_table;
  int32_t token_mult, position_mult, position;
  uint32_t random;
};

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

// arith.EXP2 of 0..511: 32nds of an octave out of the table of 16 more bits, octaves by shifting.
static inline vec exp2_of(const int32_t *table, vec distance) {
  const vec octave = distance >> 5;
  return (lookup32(table, distance & 31) + ((vec)repeat(1 << 15) << octave)) >> (octave + 16);
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

static void step(struct stream *s, int token, int with_logits) {
  const int8_t *row = s->token_embedding + (size_t)token * MODEL_PAD;
  const int8_t *place = s->position_embedding + (size_t)s->position * MODEL_PAD;
  const int32_t token_mult = s->token_mult, position_mult = s->position_mult;
  for (int i = 0; i < MODEL_PAD; i++)
    s->residual[i] = low_high(row[i] * token_mult + place[i] * position_mult, -RESIDUAL_MAX,
                              RESIDUAL_MAX);
  for (int i = 0; i < N_LAYERS; i++) {
    const struct layer *layer = &s->layers[i];
    normalize(s->hidden, s->residual, &layer->attn_norm, s->rms_table);
    int32_t sum = sum_of(s->hidden, D_MODEL);
    multiply(s->acc, &layer->q_proj, s->hidden, sum, PAD(D_MODEL, INPUTS), ATTN);
    to_int8(s->q, s->acc, &layer->q_proj, ATTN_PAD, -ACT_MAX);
    multiply(s->acc, &layer->k_proj, s->hidden, sum, PAD(D_MODEL, INPUTS), ATTN);
    to_int8(s->k, s->acc, &layer->k_proj, ATTN_PAD, -ACT_MAX);
    multiply(s->acc, &layer->v_proj, s->hidden, sum, PAD(D_MODEL, INPUTS), ATTN);
    to_int8(s->v, s->acc, &layer->v_proj, ATTN_PAD, -ACT_MAX);
    remember(s, i);
    for (int head = 0; head < N_HEADS; head++) attend(s, i, head);
    multiply(s->acc, &layer->o_proj, s->attn, sum_of(s->attn, ATTN), ATTN, D_MODEL);
    to_residual(s->residual, s->acc, &layer->o_proj);
    normalize(s->hidden, s->residual, &layer->ffn_norm, s->rms_table);
    multiply(s->acc, &layer->up_proj, s->hidden, sum_of(s->hidden, D_MODEL), PAD(D_MODEL, INPUTS), D_FF);
    to_int8(s->ffn, s->acc, &layer->up_proj, FF_PAD, 0);
    multiply(s->acc, &layer->down_proj, s->ffn, sum_of(s->ffn, D_FF), PAD(D_FF, INPUTS), D_MODEL);
    to_residual(s->residual, s->acc, &layer->down_proj);
  }
  s->position++;
  if (!with_logits) return;
  normalize(s->hidden, s->residual, &s->final_norm, s->rms_table);
  multiply(s->logits, &s->head, s->hidden, sum_of(s->hidden, D_MODEL), PAD(D_MODEL, INPUTS), VOCAB_SIZE);
}

static int largest(const int32_t *values) {
  int32_t most = values[0];
  for (int i = 1; i < VOCAB_SIZE; i++) most = values[i] > most ? values[i] : most;
  for (int i = 0;; i++)
    if (values[i] == most) return i;
}

static int sample(struct stream *s, int mult, int shift, int top_k) {
  const int32_t most = s->logits[largest(s->logits)];
  const logit_t half = half_of(shift);
  int32_t *keys = s->keys_of_logits, *p = s->p_of_logits, counts[EXP2_LAST + 1] = {0};
  for (int i = 0; i < VOCAB_SIZE; i++) {
    const logit_t key = ((logit_t)(most - s->logits[i]) * mult + half) >> shift;
    keys[i] = key < EXP2_LAST ? key : EXP2_LAST;
  }
  for (int i = 0; i < VOCAB_SIZE; i += LANES)
    store(p + i, exp2_of(s->exp2_table, load(keys + i)));
  if (top_k && top_k < VOCAB_SIZE) {  // smaller keys than last stay, and the first that equal it
    int last = 0, left = top_k;
    for (int i = 0; i < VOCAB_SIZE; i++) counts[keys[i]]++;
    for (; counts[last] < left; last++) left -= counts[last];
    for (int i = 0; i < VOCAB_SIZE; i++)
      if (keys[i] > last || (keys[i] == last && left-- <= 0)) p[i] = 0;
  }
  uint64_t total = 0, sum = 0;
  for (int i = 0; i < VOCAB_SIZE; i++) total += p[i];
  s->random ^= s->random << 13;
  s->random ^= s->random >> 17;
  s->random ^= s->random << 5;
  const uint64_t threshold = ((uint64_t)(s->random >> 8) * total) >> 24;
  for (int i = 0;; i++)
    if ((sum += p[i]) > threshold) return i;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

static const uint8_t *take(const uint8_t **from, size_t size) {
  const uint8_t *taken = *from;
  *from += PAD(size, RECORD);
  return taken;
}

static struct matrix take_matrix(const uint8_t **from, size_t in, size_t out) {
  const int32_t *facts = (const int32_t *)take(from, 12);
  struct matrix m = {.bits = facts[0], .offset = facts[1], .shift = facts[2]};
  m.mult = take(from, PAD(out, BLOCK));
  m.weights = take(from, PAD(in, INPUTS) * PAD(out, BLOCK) * m.bits / 8);
  return m;
}

static struct norm take_norm(const uint8_t **from) {
  const int32_t *shift = (const int32_t *)take(from, 4);
  return (struct norm){(const int8_t *)take(from, MODEL_PAD), *shift};
}

#define EXPORT __attribute__((visibility("default")))

EXPORT int stream_lanes(void) { return LANES; }

EXPORT const char *stream_dot(void) { return DOT; }

EXPORT void stream_free(struct stream *s) { free(s); }

// A stream of the model in the buffer, which must outlive it; NULL if there is no memory.
EXPORT struct stream *stream_new(const uint8_t *from) {
  struct stream *s = aligned_alloc(RECORD, PAD(sizeof(struct stream), RECORD));
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  const int32_t *mults = (const int32_t *)take(&from, 8);
  s->token_mult = mults[0], s->position_mult = mults[1];
  s->token_embedding = (const int8_t *)take(&from, (size_t)VOCAB_SIZE * MODEL_PAD);
  s->position_embedding = (const int8_t *)take(&from, (size_t)CTX_LEN * MODEL_PAD);
  s->rms_table = (const int32_t *)take(&from, 4 * TABLE);
  s->reciprocal_table = (const int32_t *)take(&from, 4 * TABLE);
  s->exp2_table = (const int32_t *)take(&from, 4 * EXP2_TABLE);
  for (int i = 0; i < N_LAYERS; i++) {
    struct layer *layer = &s->layers[i];
    layer->score_shift = *(const int32_t *)take(&from, 4);
    layer->attn_norm = take_norm(&from);
    layer->q_proj = take_matrix(&from, D_MODEL, ATTN);
    layer->k_proj = take_matrix(&from, D_MODEL, ATTN);
    layer->v_proj = take_matrix(&from, D_MODEL, ATTN);
    layer->o_proj = take_matrix(&from, ATTN, D_MODEL);
    layer->ffn_norm = take_norm(&from);
    layer->up_proj = take_matrix(&from, D_MODEL, D_FF);
    layer->down_proj = take_matrix(&from, D_FF, D_MODEL);
  }
  s->final_norm = take_norm(&from);
  s->head = take_matrix(&from, D_MODEL, VOCAB_SIZE);
  return s;
}

EXPORT void stream_reset(struct stream *s) { s->position = 0; }

// Feed one token; the logits of the next. The caller has checked token and position.
EXPORT const int32_t *stream_step(struct stream *s, int32_t token) {
  step(s, token, 1);
  return s->logits;
}

// Generate count tokens after the prompt, times over, each time from the same random state.
// Nanoseconds, if not NULL, gets the time of each token from feeding the one before it.
EXPORT void stream_generate(struct stream *s, const int32_t *prompt, int32_t length, int32_t count,
                            int32_t mult, int32_t shift, int32_t top_k, uint32_t random,
                            int32_t times, int32_t *tokens, int64_t *nanoseconds) {
  while (times-- > 0) {
    s->position = 0;
    s->random = random;
    for (int i = 0; i < length - 1; i++) step(s, prompt[i], 0);
    int token = prompt[length - 1];
    int64_t begun = nanoseconds ? now() : 0;
    for (int i = 0; i < count; i++) {
      step(s, token, 1);
      token = mult ? sample(s, mult, shift, top_k) : largest(s->logits);
      tokens[i] = token;
      if (nanoseconds) {
        const int64_t done = now();
        nanoseconds[i] = done - begun;
        begun = done;
      }
    }
  }
}
