// A stream: sizes, structures, and where its model is in the buffer that pack.py writes.
//
// The shape comes as macros (VOCAB_SIZE, D_MODEL, N_HEADS, N_LAYERS, D_FF, CTX_LEN). WIDE_… are 1
// where a product of this model does not fit 32 bits. Vectors are padded with zeros, which stay
// zeros.

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

// Where everything is in the buffer that pack.py has written.
static void take_model(struct stream *s, const uint8_t *from) {
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
}
