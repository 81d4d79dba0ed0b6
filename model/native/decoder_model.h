// What decoder_stream.py fills in, and the state of one sequence of tokens.
typedef struct {
    int64_t shift, eps;
    const int64_t *gain, *bias;  // [d_model]; bias or null
} Norm;

typedef struct {
    Norm attn_norm, ffn_norm;
    Matrix q, k, v, o, gate, up, down;
    const uint16_t *attn_mult;
    int64_t score_shift, attn_shift, gate_frac, hidden_shift;
} Layer;

typedef struct {
    int64_t vocab_size, d_model, n_heads, n_kv_heads, head_dim, n_layers, d_ff, ctx_len;
    int64_t layer_norm, rotary, gated;
    int64_t residual, norm, query, attention, gate, hidden, key, value, logit;  // bits
    int64_t mean_mult, mean_shift, position_mult, position_shift, embed_shift, head_shift;
    const int64_t *rsqrt, *reciprocal;
    const int32_t *exp2, *gate_table;
    const int16_t *position_embedding, *cos, *sin;
    Matrix embedding, head;
    Norm final_norm;
    const Layer *layers;
} Model;

// in the order of decoder_stream.py; before them embed, after them final_norm and logits
enum { ATTN_NORM, Q, K, V, ATTN, ATTN_RESIDUAL, FFN_NORM, GATE, UP, HIDDEN, FFN_RESIDUAL, STAGES };

#define BLOCK 64   // tokens that share one pass over the weights, a multiple of TILE

// 16-bit activations that enter a matrix, as its products want them
typedef struct {
    int64_t stride;
    int16_t *values;           // [BLOCK, stride]
    double *sums16, *sums32;  // [BLOCK, stride / 16] of groups of columns
} Input;

typedef struct {
    const Model *m;
    int64_t position;
    int16_t *keys;    // [layer, KV head, 16 positions, two of head_dim][16][2]
    int16_t *values;  // [layer, KV head, 16 of head_dim, two positions][16][2]
    int64_t *x;       // [BLOCK, d_model], the residual
    int32_t *out[3];  // [BLOCK, rows of q, k, v, padded]
    int16_t *queries;  // [KV head, BLOCK * query heads of each, head_dim, padded]
    Input input, hidden;
    void **scratch;      // of each thread's attention
    int64_t *saturated;  // [threads, stages], padded
    int64_t stages;
    Pool pool;
    // the present step
    const Layer *layer;
    const Norm *normed;
    int64_t index, first;
    int tokens;
    int32_t *logits;
} Decoder;

static inline int64_t up_to(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

static inline int64_t key_width(const Model *m) { return up_to(m->head_dim, 2); }

static inline int64_t *stage_counts(Decoder *d, int thread) {
    return d->saturated + thread * d->stages + 1 + d->index * STAGES;
}
