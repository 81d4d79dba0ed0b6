// Memory of one sequence of tokens.
static void *zeros(int64_t count, size_t size) { return calloc((size_t)(count > 0 ? count : 1), size); }

static int input_begin(Input *in, int64_t widest) {
    in->stride = up_to(widest, 32);
    in->values = zeros(BLOCK * in->stride, sizeof *in->values);
    in->sums16 = zeros(BLOCK * in->stride / 16, sizeof *in->sums16);
    in->sums32 = zeros(BLOCK * in->stride / 16, sizeof *in->sums32);
    return in->values && in->sums16 && in->sums32;
}

static void input_end(Input *in) {
    free(in->values);
    free(in->sums16);
    free(in->sums32);
}

EXPORT void decoder_free(Decoder *d) {
    if (!d) return;
    if (d->pool.threads) pool_end(&d->pool);
    for (int t = 0; d->scratch && t < d->pool.threads; t++) free(d->scratch[t]);
    input_end(&d->input);
    input_end(&d->hidden);
    void *parts[] = {d->keys, d->values, d->x, d->out[0], d->out[1], d->out[2],
                     d->queries, d->saturated, d->scratch};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
    free(d);
}

static int decoder_begin(Decoder *d, const Model *m, int64_t threads) {
    int64_t heads = m->n_heads * m->head_dim, cache = m->n_kv_heads * m->head_dim;
    int64_t caches = m->n_layers * m->n_kv_heads, rows[] = {heads, cache, cache};
    d->m = m;
    d->stages = up_to(3 + m->n_layers * STAGES, 16);  // no line of two threads
    d->keys = zeros(caches * keys_of_head(m), sizeof *d->keys);
    d->values = zeros(caches * values_of_head(m), sizeof *d->values);
    d->x = zeros(BLOCK * m->d_model, sizeof *d->x);
    int there = d->keys && d->values && d->x;
    for (int i = 0; i < 3; i++) {
        d->out[i] = zeros(BLOCK * up_to(rows[i], ROWS), sizeof *d->out[i]);
        there = there && d->out[i];
    }
    // a tile may read what lies behind the last query
    d->queries = zeros((BLOCK * m->n_heads + QUERIES) * key_width(m), sizeof *d->queries);
    there = there && d->queries && input_begin(&d->input, m->d_model > heads ? m->d_model : heads) &&
            input_begin(&d->hidden, m->d_ff) && pool_begin(&d->pool, (int)threads);
    if (!there) return 0;
    d->saturated = zeros(d->pool.threads * d->stages, sizeof *d->saturated);
    d->scratch = zeros(d->pool.threads, sizeof *d->scratch);
    for (int t = 0; d->scratch && t < d->pool.threads; t++)
        there = there && (d->scratch[t] = malloc((size_t)scratch_bytes(m)));
    return there && d->saturated && d->scratch;
}

// null if there is not enough memory
EXPORT Decoder *decoder_new(const Model *m, int64_t threads) {
    Decoder *d = zeros(1, sizeof *d);
    if (d && decoder_begin(d, m, threads)) return d;
    decoder_free(d);
    return 0;
}
