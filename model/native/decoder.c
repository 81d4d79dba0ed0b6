// The integer function of an imported model (docs/number_contract_2.md), any number of tokens at a
// time. decoder_stream.py fills the structures; every size is in them, every table comes from there.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decoder_rows.h"
#include "decoder_pool.h"
#include "decoder_model.h"
#include "decoder_values.h"
#include "decoder_attention.h"

#define EXPORT __attribute__((visibility("default")))
#include "decoder_memory.h"



static inline int64_t row_blocks(const Matrix *w) { return up_to(w->out, ROWS) / ROWS; }

// sums[t][row] of one block of rows
static inline void products(const Decoder *d, const Matrix *w, int64_t block, const Input *in,
                            double sums[][ROWS]) {
    block_rows(w, block, in->values, in->stride, w->group == 16 ? in->sums16 : in->sums32,
               in->stride / 16, d->tokens, sums);
}

// one block of rows of a matrix to to[t * pitch + row]; how many were limited
static int64_t project(const Decoder *d, const Matrix *w, int64_t block, int64_t shift, int64_t bits,
                       int32_t *to, int64_t pitch) {
    double sums[BLOCK][ROWS];
    int64_t row = block * ROWS, rows = w->out - row < ROWS ? w->out - row : ROWS, limited = 0;
    products(d, w, block, &d->input, sums);
    for (int t = 0; t < d->tokens; t++) {
        int32_t block_of[ROWS];
        limited += requantize(w, row, sums[t], shift, bits, block_of);
        if (rows == ROWS)
            memcpy(to + t * pitch + row, block_of, sizeof block_of);
        else
            memcpy(to + t * pitch + row, block_of, (size_t)rows * sizeof *to);
    }
    return limited;
}

static void norm_tokens(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    const Layer *l = d->layer;
    int64_t width = d->m->d_model, *counts = stage_counts(d, thread), limited = 0;
    for (int64_t t = begin; t < end; t++) {
        int16_t *to = d->input.values + t * d->input.stride;
        limited += normalize(d->m, d->normed, d->x + (d->first + t) * width, to);
        enter(&d->input, t, width);
    }
    counts[l && d->normed == &l->ffn_norm ? FFN_NORM : ATTN_NORM] += limited;
}

static void qkv_blocks(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    const Model *m = d->m;
    const Matrix *matrices[] = {&d->layer->q, &d->layer->k, &d->layer->v};
    int64_t bits[] = {m->query, m->rotary ? m->query : m->key, m->value};
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t block = unit;
        int i = 0;
        while (block >= row_blocks(matrices[i])) block -= row_blocks(matrices[i++]);
        const Matrix *w = matrices[i];
        stage_counts(d, thread)[Q + i] +=
            project(d, w, block, w->shift, bits[i], d->out[i], up_to(w->out, ROWS));
    }
}

static void enter_attention(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    (void)thread;
    for (int64_t t = begin; t < end; t++) enter(&d->input, t, d->m->n_heads * d->m->head_dim);
}

static void enter_hidden(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    (void)thread;
    for (int64_t t = begin; t < end; t++) enter(&d->hidden, t, d->m->d_ff);
}

// blocks of rows of a matrix, added to the residual; how many were limited
static int64_t add(Decoder *d, const Matrix *w, const Input *in, int64_t begin, int64_t end) {
    int64_t width = d->m->d_model, bits = d->m->residual, most = limit(bits), limited = 0;
    double sums[BLOCK][ROWS];
    for (int64_t block = begin; block < end; block++) {
        int64_t row = block * ROWS, rows = width - row < ROWS ? width - row : ROWS;
        products(d, w, block, in, sums);
        for (int t = 0; t < d->tokens; t++) {
            int64_t *x = d->x + t * width + row;
            int32_t update[ROWS];
            limited += requantize(w, row, sums[t], w->shift, bits, update);
            for (int64_t i = 0; i < rows; i++) {
                int64_t sum = x[i] + update[i];
                x[i] = clamped(sum, most);
                limited += x[i] != sum;
            }
        }
    }
    return limited;
}

static void o_blocks(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    stage_counts(d, thread)[ATTN_RESIDUAL] += add(d, &d->layer->o, &d->input, begin, end);
}

static void down_blocks(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    stage_counts(d, thread)[FFN_RESIDUAL] += add(d, &d->layer->down, &d->hidden, begin, end);
}

static void hidden_blocks(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    const Model *m = d->m;
    const Layer *l = d->layer;
    const Matrix *entry = m->gated ? &l->gate : &l->up;
    int64_t *counts = stage_counts(d, thread);
    double gates[BLOCK][ROWS], ups[BLOCK][ROWS];
    for (int64_t block = begin; block < end; block++) {
        int64_t row = block * ROWS;
        products(d, entry, block, &d->input, gates);
        if (m->gated) products(d, &l->up, block, &d->input, ups);
        for (int t = 0; t < d->tokens; t++) {
            int32_t gate[ROWS], up[ROWS];
            EACH_ROW(i) up[i] = 1;
            counts[GATE] += requantize(entry, row, gates[t], entry->shift, m->gate, gate);
            if (m->gated) counts[UP] += requantize(&l->up, row, ups[t], l->up.shift, m->gate, up);
            counts[HIDDEN] += activate(m, l, gate, up, d->hidden.values + t * d->hidden.stride + row);
        }
    }
}

static void head_blocks(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    const Model *m = d->m;
    for (int64_t block = begin; block < end; block++)
        stage_counts(d, thread)[1] +=
            project(d, &m->head, block, m->head_shift, m->logit, d->logits, m->vocab_size);
}

static void embed_tokens(Decoder *d, const int32_t *tokens) {
    const Model *m = d->m;
    const Matrix *e = &m->embedding;
    for (int t = 0; t < d->tokens; t++)
        for (int64_t c = 0; c < m->d_model; c++) {
            int64_t row = tokens[t];
            int64_t x = round_shift(weight(e, row, c) * e->mult[row], m->embed_shift);
            if (m->position_embedding) {
                int64_t place = m->position_embedding[(d->position + t) * m->d_model + c];
                x += round_shift(place * m->position_mult, m->position_shift);
            }
            int64_t *to = d->x + t * m->d_model + c;
            *to = clamped(x, limit(m->residual));
            d->saturated[0] += *to != x;
        }
}

static void run(Decoder *d, Work *work, int64_t units) { pool_run(&d->pool, work, d, units); }

static void norm(Decoder *d, const Norm *n) {
    d->normed = n;
    run(d, norm_tokens, d->tokens);
}

static void run_layer(Decoder *d, const Layer *l) {
    const Model *m = d->m;
    int64_t share = m->n_heads / m->n_kv_heads;
    d->layer = l;
    norm(d, &l->attn_norm);
    run(d, qkv_blocks, row_blocks(&l->q) + row_blocks(&l->k) + row_blocks(&l->v));
    run(d, place_tokens, d->tokens);
    run(d, attend_tiles, m->n_kv_heads * (up_to(d->tokens * share, QUERIES) / QUERIES));
    run(d, enter_attention, d->tokens);
    run(d, o_blocks, row_blocks(&l->o));
    norm(d, &l->ffn_norm);
    run(d, hidden_blocks, row_blocks(&l->up));
    run(d, enter_hidden, d->tokens);
    run(d, down_blocks, row_blocks(&l->down));
}

// logits of all ``count`` tokens, of the last one, or, where ``logits`` is null, of none
static void block(Decoder *d, const int32_t *tokens, int count, int every, int32_t *logits) {
    const Model *m = d->m;
    d->tokens = count, d->first = 0;
    embed_tokens(d, tokens);
    for (d->index = 0; d->index < m->n_layers; d->index++) run_layer(d, &m->layers[d->index]);
    if (logits) {
        if (!every) d->first = count - 1, d->tokens = 1;
        d->layer = 0, d->logits = logits;
        norm(d, &m->final_norm);
        run(d, head_blocks, row_blocks(&m->head));
    }
    d->position += count;
}

// logits [count, vocab_size], or of the last token only ([vocab_size])
EXPORT void decoder_feed(Decoder *d, const int32_t *tokens, int64_t count, int64_t every, int32_t *logits) {
    for (int64_t done = 0; done < count;) {
        int64_t left = count - done, now = left < BLOCK ? left : BLOCK;
        int32_t *to = every ? logits + done * d->m->vocab_size : now == left ? logits : 0;
        block(d, tokens + done, (int)now, (int)every, to);
        done += now;
    }
}

EXPORT void decoder_reset(Decoder *d) { d->position = 0; }

EXPORT const char *decoder_dot(void) { return DOT_NAME; }

EXPORT int64_t decoder_input_zero(void) { return INPUT_ZERO; }

EXPORT int64_t decoder_threads(const Decoder *d) { return d->pool.threads; }

// counts [stages] of values that were limited since decoder_new
EXPORT void decoder_saturated(const Decoder *d, int64_t *counts, int64_t stages) {
    memset(counts, 0, (size_t)stages * sizeof *counts);
    for (int t = 0; t < d->pool.threads; t++)
        for (int64_t i = 0; i < stages; i++) counts[i] += d->saturated[t * d->stages + i];
}
