// The integer function of an imported model (docs/number_contract_2.md), any number of tokens at a
// time. decoder_stream.py fills the structures; every size is in them, every table comes from there.
#include <stdlib.h>
#include <string.h>

#define BLOCK 8  // tokens that share one pass over the weights
#include "decoder_dot.h"
#include "decoder_rows.h"

#define EXPORT __attribute__((visibility("default")))

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
    int64_t residual, norm, query, attention, gate, hidden, key, value;  // bits
    int64_t mean_mult, mean_shift, position_mult, position_shift, embed_shift, head_shift;
    const int64_t *rsqrt, *exp2, *reciprocal, *gate_table;
    const int16_t *position_embedding, *cos, *sin;
    Matrix embedding, head;
    Norm final_norm;
    const Layer *layers;
    int64_t *saturated;  // [stages], in the order of decoder_stream.py
} Model;

typedef struct {
    const Model *m;
    int64_t position, key_width, value_width;
    int16_t *keys;    // [layer, head, position, key_width]: head_dim padded for dots
    int16_t *values;  // [layer, head, position, head_dim]
    int64_t *x, *wide, *probabilities;
    int16_t *input;  // [BLOCK, widest] activations that enter a matrix, zeros behind
    int64_t stride;
    int32_t *out[3];
    int64_t *group_sums;  // [BLOCK, groups]
} Decoder;

static inline int64_t round_shift(int64_t x, int64_t s) {
    return s ? (x + ((int64_t)1 << (s - 1))) >> s : x;
}

static inline int64_t clamped(int64_t x, int64_t bits, int64_t *count) {
    int64_t most = ((int64_t)1 << (bits - 1)) - 1;
    *count += (x > most) | (x < -most);
    return x > most ? most : x < -most ? -most : x;
}

static inline int floor_log2(int64_t x) { return 63 - __builtin_clzll((uint64_t)x); }

static void normalize(Decoder *d, const Norm *n, int tokens, int64_t *count) {
    const Model *m = d->m;
    int64_t width = m->d_model;
    for (int t = 0; t < tokens; t++) {
        const int64_t *from = d->x + t * width;
        int64_t *x = d->wide, sum = 0, mean = 0, s = n->eps;
        if (m->layer_norm) {
            for (int64_t i = 0; i < width; i++) sum += from[i];
            mean = round_shift(sum * m->mean_mult, m->mean_shift);
        }
        for (int64_t i = 0; i < width; i++) {
            x[i] = from[i] - mean;
            s += x[i] * x[i];
        }
        if (s < 1) s = 1;
        int e = floor_log2(s) / 2, up = 9 - 2 * e;
        int64_t r = m->rsqrt[up > 0 ? s << up : s >> -up];
        int16_t *to = d->input + t * d->stride;
        for (int64_t i = 0; i < width; i++) {
            int64_t u = round_shift(x[i] * r, e) * n->gain[i] + (n->bias ? n->bias[i] : 0);
            to[i] = (int16_t)clamped(round_shift(u, n->shift), m->norm, count);
        }
    }
}

static void clear_behind(Decoder *d, int tokens, int64_t width) {
    for (int t = 0; t < tokens; t++)
        memset(d->input + t * d->stride + width, 0, (size_t)(d->stride - width) * sizeof(int16_t));
}

// to[t * pitch + row] of the activations in d->input; the caller cleared what is behind them
static void project(Decoder *d, const Matrix *w, int tokens, int64_t bits, int64_t shift, int32_t *to,
                    int64_t pitch, int64_t *count) {
    int64_t groups = w->group ? w->padded / w->group : 0, saturated = 0, sums[BLOCK][ROWS];
    if (w->low)
        for (int t = 0; t < tokens; t++)
            for (int64_t g = 0; g < groups; g++) {
                int64_t sum = 0;
                for (int64_t c = 0; c < w->group; c++) sum += d->input[t * d->stride + g * w->group + c];
                d->group_sums[t * groups + g] = sum;
            }
    for (int64_t row = 0; row < w->out; row += ROWS) {
        int64_t left = w->out - row, rows = left < ROWS ? left : ROWS;
        block_rows(w, row / ROWS, d->input, d->stride, d->group_sums, tokens, sums);
        for (int t = 0; t < tokens; t++)
            for (int64_t i = 0; i < rows; i++) {
                int64_t product = sums[t][i] * w->mult[row + i] + (w->bias ? w->bias[row + i] : 0);
                to[t * pitch + row + i] = (int32_t)clamped(round_shift(product, shift), bits, &saturated);
            }
    }
    *count += saturated;
}

static void add(Decoder *d, const Matrix *w, int tokens, int64_t *count) {
    const Model *m = d->m;
    project(d, w, tokens, m->residual, w->shift, d->out[0], m->d_model, count);
    for (int64_t i = 0; i < tokens * m->d_model; i++)
        d->x[i] = clamped(d->x[i] + d->out[0][i], m->residual, count);
}

static void rotate(const Model *m, int64_t position, const int32_t *from, int64_t shift, int64_t bits,
                   int32_t *to, int64_t *count) {
    int64_t half = m->head_dim / 2;
    const int16_t *cos = m->cos + position * half, *sin = m->sin + position * half;
    for (int64_t j = 0; j < half; j++) {
        int64_t a = from[j], b = from[half + j];
        to[j] = (int32_t)clamped(round_shift(a * cos[j] - b * sin[j], shift), bits, count);
        to[half + j] = (int32_t)clamped(round_shift(b * cos[j] + a * sin[j], shift), bits, count);
    }
}

static int64_t exp2_of(const Model *m, int64_t t) {
    return t >> 8 >= 16 ? 0 : round_shift(m->exp2[t & 255], t >> 8);
}

// one query head of one token; q is padded for dots
static void attend(Decoder *d, const Layer *l, const int16_t *keys, const int16_t *values,
                   const int16_t *q, int64_t head, int64_t positions, int16_t *to, int64_t *count) {
    const Model *m = d->m;
    int64_t *p = d->probabilities, most = INT64_MIN, total = 0, width = m->head_dim;
    for (int64_t j = 0; j < positions; j++) {
        int64_t score = dot(keys + j * d->key_width, q, d->key_width, m->key + m->query);
        p[j] = round_shift(score, l->score_shift);
        if (p[j] > most) most = p[j];
    }
    for (int64_t j = 0; j < positions; j++) total += p[j] = exp2_of(m, most - p[j]);
    int32_t part[width];
    int64_t acc[width];
    memset(acc, 0, sizeof acc);
    int64_t step = (int64_t)1 << (16 - m->value);  // 2^15 * 2^(value - 1) * step fits 32 bits
    for (int64_t begin = 0; begin < positions; begin += step) {
        memset(part, 0, sizeof part);
        int64_t end = begin + step < positions ? begin + step : positions;
        for (int64_t j = begin; j < end; j++)
            for (int64_t c = 0; c < width; c++) part[c] += (int32_t)p[j] * values[j * width + c];
        for (int64_t c = 0; c < width; c++) acc[c] += part[c];
    }
    int e = floor_log2(total), up = 10 - e;
    int64_t r = m->reciprocal[(up > 0 ? total << up : total >> -up) - 1024];
    for (int64_t c = 0; c < width; c++) {
        int64_t mean = round_shift(acc[c] * r, 8 + e) * l->attn_mult[head * width + c];
        to[c] = (int16_t)clamped(round_shift(mean, l->attn_shift), m->attention, count);
    }
}

enum { ATTN_NORM, Q, K, V, ATTN, ATTN_RESIDUAL, FFN_NORM, GATE, UP, HIDDEN, FFN_RESIDUAL, STAGES };

static void attention(Decoder *d, const Layer *l, int64_t layer, int tokens, int64_t *counts) {
    const Model *m = d->m;
    int64_t hd = m->head_dim, share = m->n_heads / m->n_kv_heads;
    int64_t key_bits = m->rotary ? m->query : m->key, cache = m->n_kv_heads * hd;
    normalize(d, &l->attn_norm, tokens, &counts[ATTN_NORM]);
    clear_behind(d, tokens, m->d_model);
    project(d, &l->q, tokens, m->query, l->q.shift, d->out[0], l->q.out, &counts[Q]);
    project(d, &l->k, tokens, key_bits, l->k.shift, d->out[1], cache, &counts[K]);
    project(d, &l->v, tokens, m->value, l->v.shift, d->out[2], cache, &counts[V]);
    int32_t turned[hd];
    for (int t = 0; t < tokens; t++)
        for (int64_t h = 0; h < m->n_kv_heads; h++) {
            int64_t place = (layer * m->n_kv_heads + h) * m->ctx_len + d->position + t;
            const int32_t *k = d->out[1] + t * cache + h * hd, *v = d->out[2] + t * cache + h * hd;
            if (m->rotary) {
                rotate(m, d->position + t, k, 14 + m->query - m->key, m->key, turned, &counts[K]);
                k = turned;
            }
            for (int64_t c = 0; c < hd; c++) {
                d->keys[place * d->key_width + c] = (int16_t)k[c];
                d->values[place * hd + c] = (int16_t)v[c];
            }
        }
    int16_t padded[d->key_width];
    memset(padded, 0, sizeof padded);
    for (int t = 0; t < tokens; t++)
        for (int64_t h = 0; h < m->n_heads; h++) {
            const int32_t *q = d->out[0] + t * l->q.out + h * hd;
            if (m->rotary) {
                rotate(m, d->position + t, q, 14, m->query, turned, &counts[Q]);
                q = turned;
            }
            for (int64_t c = 0; c < hd; c++) padded[c] = (int16_t)q[c];
            int64_t own = (layer * m->n_kv_heads + h / share) * m->ctx_len;
            attend(d, l, d->keys + own * d->key_width, d->values + own * hd, padded, h / share,
                   d->position + t + 1, d->input + t * d->stride + h * hd, &counts[ATTN]);
        }
    clear_behind(d, tokens, m->n_heads * hd);
    add(d, &l->o, tokens, &counts[ATTN_RESIDUAL]);
}

static void feed_forward(Decoder *d, const Layer *l, int tokens, int64_t *counts) {
    const Model *m = d->m;
    normalize(d, &l->ffn_norm, tokens, &counts[FFN_NORM]);
    clear_behind(d, tokens, m->d_model);
    const Matrix *entry = m->gated ? &l->gate : &l->up;
    project(d, entry, tokens, m->gate, entry->shift, d->out[0], m->d_ff, &counts[GATE]);
    if (m->gated) project(d, &l->up, tokens, m->gate, l->up.shift, d->out[1], m->d_ff, &counts[UP]);
    for (int t = 0; t < tokens; t++)
        for (int64_t i = 0; i < m->d_ff; i++) {
            int64_t g = d->out[0][t * m->d_ff + i], w = (g < 0 ? -g : g) << (14 - l->gate_frac);
            int64_t index = w >> 9, share = 65536;
            if (index < 512) {
                const int64_t *entries = m->gate_table + index;
                share = entries[0] + round_shift((entries[1] - entries[0]) * (w & 511), 9);
            }
            int64_t y = round_shift(g * (g < 0 ? 65536 - share : share), 14);
            if (m->gated) y *= d->out[1][t * m->d_ff + i];
            d->input[t * d->stride + i] =
                (int16_t)clamped(round_shift(y, l->hidden_shift), m->hidden, &counts[HIDDEN]);
        }
    clear_behind(d, tokens, m->d_ff);
    add(d, &l->down, tokens, &counts[FFN_RESIDUAL]);
}

static void embed(Decoder *d, const int32_t *tokens, int count) {
    const Model *m = d->m;
    const Matrix *e = &m->embedding;
    for (int t = 0; t < count; t++)
        for (int64_t c = 0; c < m->d_model; c++) {
            int64_t row = tokens[t];
            int64_t x = round_shift(weight(e, row, c) * e->mult[row], m->embed_shift);
            if (m->position_embedding) {
                int64_t place = m->position_embedding[(d->position + t) * m->d_model + c];
                x += round_shift(place * m->position_mult, m->position_shift);
            }
            d->x[t * m->d_model + c] = clamped(x, m->residual, &m->saturated[0]);
        }
}

static void block(Decoder *d, const int32_t *tokens, int count, int32_t *logits) {
    const Model *m = d->m;
    embed(d, tokens, count);
    for (int64_t i = 0; i < m->n_layers; i++) {
        int64_t *counts = m->saturated + 1 + i * STAGES;
        attention(d, &m->layers[i], i, count, counts);
        feed_forward(d, &m->layers[i], count, counts);
    }
    int64_t *last = m->saturated + 1 + m->n_layers * STAGES;
    if (logits) {
        normalize(d, &m->final_norm, count, &last[0]);
        clear_behind(d, count, m->d_model);
        project(d, &m->head, count, 32, m->head_shift, logits, m->vocab_size, &last[1]);
    }
    d->position += count;
}

// logits [count, vocab_size], or of the last token only ([vocab_size])
EXPORT void decoder_feed(Decoder *d, const int32_t *tokens, int64_t count, int64_t every, int32_t *logits) {
    for (int64_t done = 0; done < count;) {
        int64_t left = count - done, now = left < BLOCK ? left : BLOCK;
        if (!every && left > 1 && now == left) now = left - 1;  // the last one alone
        int wanted = every || left == 1;
        block(d, tokens + done, (int)now, wanted ? logits + (every ? done * d->m->vocab_size : 0) : 0);
        done += now;
    }
}

EXPORT void decoder_reset(Decoder *d) { d->position = 0; }

EXPORT const char *decoder_dot(void) { return DOT_NAME; }

EXPORT void decoder_free(Decoder *d) {
    if (!d) return;
    void *parts[] = {d->keys, d->values, d->x, d->wide, d->probabilities, d->input,
                     d->out[0], d->out[1], d->out[2], d->group_sums};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
    free(d);
}

// null if there is not enough memory
EXPORT Decoder *decoder_new(const Model *m) {
    Decoder *d = calloc(1, sizeof *d);
    if (!d) return 0;
    int64_t hd = m->head_dim, widest = m->d_model, places = m->n_layers * m->n_kv_heads * m->ctx_len;
    if (m->n_heads * hd > widest) widest = m->n_heads * hd;
    if (m->d_ff > widest) widest = m->d_ff;
    d->m = m;
    d->key_width = (hd + STEP - 1) / STEP * STEP;
    d->stride = (widest + STEP - 1) / STEP * STEP;
    d->keys = calloc(places * d->key_width, sizeof *d->keys);
    d->values = calloc(places * hd, sizeof *d->values);
    d->x = calloc(BLOCK * m->d_model, sizeof *d->x);
    d->wide = calloc(m->d_model, sizeof *d->wide);
    d->probabilities = calloc(m->ctx_len, sizeof *d->probabilities);
    d->input = calloc(BLOCK * d->stride, sizeof *d->input);
    d->group_sums = calloc(BLOCK * d->stride / 16, sizeof *d->group_sums);
    for (int i = 0; i < 3; i++) d->out[i] = calloc(BLOCK * widest, sizeof **d->out);
    if (d->keys && d->values && d->x && d->wide && d->probabilities && d->input && d->group_sums &&
        d->out[0] && d->out[1] && d->out[2])
        return d;
    decoder_free(d);
    return 0;
}
