// One stream of tokens: the integer function of arith.py and sampling.py with a KV cache.
//
// A step is the layers and the logits of one token; a sample is the next one. What Python calls is
// marked EXPORT.

#include <stdlib.h>
#include <time.h>

#include "stream_attention.h"

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

#define EXPORT __attribute__((visibility("default")))

EXPORT int stream_lanes(void) { return LANES; }

EXPORT const char *stream_dot(void) { return DOT; }

EXPORT void stream_free(struct stream *s) { free(s); }

// A stream of the model in the buffer, which must outlive it; NULL if there is no memory.
EXPORT struct stream *stream_new(const uint8_t *from) {
  struct stream *s = aligned_alloc(RECORD, PAD(sizeof(struct stream), RECORD));
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  take_model(s, from);
  return s;
}

EXPORT void stream_reset(struct stream *s) { s->position = 0; }

// Feed one token; the logits of the next. The caller has checked token and position.
EXPORT const int32_t *stream_step(struct stream *s, int32_t token) {
  step(s, token, 1);
  return s->logits;
}

// Generate count tokens after the prompt in each of n streams, which take turns token by token;
// times over, each time from the same random state. The tokens of a stream follow those of the one
// before it. Nanoseconds, if not NULL, gets the time of a token of every stream, from feeding the
// ones before them.
EXPORT void stream_generate(struct stream *const *streams, int32_t n, const int32_t *prompt,
                            int32_t length, int32_t count, int32_t mult, int32_t shift,
                            int32_t top_k, uint32_t random, int32_t times, int32_t *tokens,
                            int64_t *nanoseconds) {
  while (times-- > 0) {
    for (int k = 0; k < n; k++) {
      streams[k]->position = 0;
      streams[k]->random = random;
      for (int i = 0; i < length - 1; i++) step(streams[k], prompt[i], 0);
    }
    int64_t begun = nanoseconds ? now() : 0;
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < n; k++) {
        struct stream *s = streams[k];
        int32_t *of_stream = tokens + (size_t)k * count;
        step(s, i ? of_stream[i - 1] : prompt[length - 1], 1);
        of_stream[i] = mult ? sample(s, mult, shift, top_k) : largest(s->logits);
      }
      if (nanoseconds) {
        const int64_t done = now();
        nanoseconds[i] = done - begun;
        begun = done;
      }
    }
  }
}
