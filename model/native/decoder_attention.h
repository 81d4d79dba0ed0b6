// Keys and values of each KV head, and what queries make of them.
//
// Keys lie as rows of a matrix whose lanes are positions, values as rows whose lanes are columns of
// a head: both products are pair_rows.
static inline int64_t position_blocks(const Model *m) { return up_to(m->ctx_len, ROWS) / ROWS; }

static inline int64_t column_blocks(const Model *m) { return up_to(m->head_dim, ROWS) / ROWS; }

static inline int64_t keys_of_head(const Model *m) {
    return position_blocks(m) * ROWS * key_width(m);
}

static inline int64_t values_of_head(const Model *m) {
    return column_blocks(m) * ROWS * up_to(m->ctx_len, 2);
}

static int64_t rotate(const Model *m, int64_t position, const int32_t *from, int64_t shift,
                      int64_t bits, int32_t *to) {
    int64_t half = m->head_dim / 2, limited = 0;
    const int16_t *cos = m->cos + position * half, *sin = m->sin + position * half;
    int32_t most = (int32_t)limit(bits), rounding = (int32_t)half_of(shift);
    for (int64_t j = 0; j < half; j++) {  // 2 * 2^15 * 2^14, and the rounding, fit 32 bits
        int32_t a = from[j], b = from[half + j];
        int32_t x = (a * cos[j] - b * sin[j] + rounding) >> shift;
        int32_t y = (b * cos[j] + a * sin[j] + rounding) >> shift;
        to[j] = x > most ? most : x < -most ? -most : x;
        to[half + j] = y > most ? most : y < -most ? -most : y;
        limited += (to[j] != x) + (to[half + j] != y);
    }
    return limited;
}

// q, k and v of some tokens to where attention reads them
static void place_tokens(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    const Model *m = d->m;
    int64_t hd = m->head_dim, width = key_width(m), share = m->n_heads / m->n_kv_heads;
    int64_t *counts = stage_counts(d, thread);
    int32_t turned[hd];
    for (int64_t t = begin; t < end; t++) {
        int64_t position = d->position + t;
        const int32_t *qs = d->out[0] + t * up_to(d->layer->q.out, ROWS);
        const int32_t *ks = d->out[1] + t * up_to(d->layer->k.out, ROWS);
        const int32_t *vs = d->out[2] + t * up_to(d->layer->v.out, ROWS);
        for (int64_t h = 0; h < m->n_heads; h++) {
            const int32_t *q = qs + h * hd;
            if (m->rotary) counts[Q] += rotate(m, position, q, 14, m->query, turned), q = turned;
            int64_t place = (h / share * BLOCK + t) * share + h % share;
            for (int64_t c = 0; c < hd; c++) d->queries[place * width + c] = (int16_t)q[c];
        }
        for (int64_t h = 0; h < m->n_kv_heads; h++) {
            const int32_t *k = ks + h * hd, *v = vs + h * hd;
            int64_t shift = 14 + m->query - m->key, own = d->index * m->n_kv_heads + h;
            if (m->rotary) counts[K] += rotate(m, position, k, shift, m->key, turned), k = turned;
            int16_t *keys = d->keys + own * keys_of_head(m) + position / ROWS * ROWS * width +
                            position % ROWS * 2;
            for (int64_t c = 0; c < hd; c++) keys[c / 2 * 2 * ROWS + c % 2] = (int16_t)k[c];
            int16_t *values = d->values + own * values_of_head(m) + position / 2 * 2 * ROWS + position % 2;
            for (int64_t c = 0; c < hd; c++)
                values[c / ROWS * ROWS * up_to(m->ctx_len, 2) + c % ROWS * 2] = (int16_t)v[c];
        }
    }
}

// probabilities of ``positions`` scores; their sum
static int64_t softmax(const Model *m, const int64_t *scores, int64_t positions, int16_t *p) {
    int64_t most = INT64_MIN, total = 0;
    for (int64_t j = 0; j < positions; j++) most = scores[j] > most ? scores[j] : most;
    for (int64_t j = 0; j < positions; j++) {
        int64_t below = most - scores[j];
        int32_t t = below < 4096 ? (int32_t)below : 4096;  // 16 octaves
        int32_t power = ((2 * m->exp2[t & 255] >> (t >> 8)) + 1) >> 1;
        p[j] = (int16_t)power;
        total += power;
    }
    return total;
}

// pairs of columns whose products with numbers of ``bits`` more fit 32 bits together
static inline int64_t most_pairs(int64_t bits) { return (int64_t)1 << (32 - bits); }

static inline int64_t scratch_bytes(const Model *m) {
    return QUERIES * up_to(m->ctx_len, ROWS) * (int64_t)(sizeof(int64_t) + sizeof(int16_t));
}

#define PAIR_ROWS(count, ...)                                                                         \
    ((count) > 4   ? pair_rows(__VA_ARGS__, 8, sums)                                                  \
     : (count) > 2 ? pair_rows(__VA_ARGS__, 4, sums)                                                  \
     : (count) > 1 ? pair_rows(__VA_ARGS__, 2, sums)                                                  \
                   : pair_rows(__VA_ARGS__, 1, sums))

// ``count`` queries of KV head h, from ``first`` on
static int64_t attend(Decoder *d, int64_t h, int64_t first, int64_t count, void *scratch) {
    const Model *m = d->m;
    const Layer *l = d->layer;
    int64_t hd = m->head_dim, width = key_width(m), share = m->n_heads / m->n_kv_heads, limited = 0;
    int64_t positions = d->position + (first + count - 1) / share + 1, pitch = up_to(m->ctx_len, ROWS);
    int64_t own = d->index * m->n_kv_heads + h, half = half_of(l->score_shift), total[QUERIES];
    int64_t *scores = scratch;
    int16_t *p = (int16_t *)(scores + QUERIES * pitch);
    double sums[QUERIES][ROWS];
    const int16_t *keys = d->keys + own * keys_of_head(m);
    const int16_t *queries = d->queries + (h * BLOCK * share + first) * width;
    for (int64_t j = 0; j < positions; j += ROWS) {
        PAIR_ROWS(count, keys + j * width, width / 2, most_pairs(m->query + m->key), queries, width);
        for (int64_t q = 0; q < count; q++)
            EACH_ROW(i)
                scores[q * pitch + j + i] = ((int64_t)sums[q][i] + half) >> l->score_shift;
    }
    for (int64_t q = 0; q < count; q++) {
        int64_t seen = d->position + (first + q) / share + 1;
        total[q] = softmax(m, scores + q * pitch, seen, p + q * pitch);
        memset(p + q * pitch + seen, 0, (size_t)(up_to(positions, 2) - seen) * sizeof *p);
    }
    const int16_t *values = d->values + own * values_of_head(m);
    for (int64_t c = 0; c < hd; c += ROWS) {
        PAIR_ROWS(count, values + c * up_to(m->ctx_len, 2), up_to(positions, 2) / 2,
                  most_pairs(16 + m->value), p, pitch);
        int64_t columns = hd - c < ROWS ? hd - c : ROWS, most = limit(m->attention);
        for (int64_t q = 0; q < count; q++) {
            int e = floor_log2(total[q]), up = 10 - e;
            int64_t r = m->reciprocal[(up > 0 ? total[q] << up : total[q] >> -up) - 1024];
            int64_t t = (first + q) / share, head = h * share + (first + q) % share;
            int16_t *to = d->input.values + t * d->input.stride + head * hd + c;
            for (int64_t i = 0; i < columns; i++) {
                int64_t mean = round_shift((int64_t)sums[q][i] * r, 8 + e) * l->attn_mult[h * hd + c + i];
                int64_t x = round_shift(mean, l->attn_shift), y = clamped(x, most);
                limited += x != y;
                to[i] = (int16_t)y;
            }
        }
    }
    return limited;
}

// units are tiles of the queries of one KV head after the other
static void attend_tiles(void *given, int64_t begin, int64_t end, int thread) {
    Decoder *d = given;
    int64_t queries = d->tokens * (d->m->n_heads / d->m->n_kv_heads);
    int64_t tiles = up_to(queries, QUERIES) / QUERIES, limited = 0;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t first = unit % tiles * QUERIES, left = queries - first;
        limited += attend(d, unit / tiles, first, left < QUERIES ? left : QUERIES, d->scratch[thread]);
    }
    stage_counts(d, thread)[ATTN] += limited;
}
