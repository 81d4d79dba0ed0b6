// Operations on single numbers, in loops that compilers turn into vectors.
static inline int64_t half_of(int64_t shift) { return shift ? (int64_t)1 << (shift - 1) : 0; }

static inline int64_t round_shift(int64_t x, int64_t s) { return (x + half_of(s)) >> s; }

static inline int64_t limit(int64_t bits) { return ((int64_t)1 << (bits - 1)) - 1; }

static inline int64_t clamped(int64_t x, int64_t most) { return x > most ? most : x < -most ? -most : x; }

static inline int floor_log2(int64_t x) { return 63 - __builtin_clzll((uint64_t)x); }

// to[i] of one block of rows; returns how many were limited
static inline int64_t requantize(const Matrix *w, int64_t row, const double *sums, int64_t shift,
                                 int64_t bits, int32_t *to) {
    int64_t half = half_of(shift), most = limit(bits), limited = 0;
    const uint16_t *mult = w->mult + row;
    const int64_t *added = w->added + row;
    EACH_ROW(i) {
        int64_t x = ((int64_t)sums[i] * mult[i] + added[i] + half) >> shift, y = clamped(x, most);
        limited += x != y;
        to[i] = (int32_t)y;
    }
    return limited;
}

static int64_t normalize(const Model *m, const Norm *n, const int64_t *x, int16_t *to) {
    int64_t width = m->d_model, sum = 0, mean = 0, s = n->eps, limited = 0;
    if (m->layer_norm) {
        for (int64_t i = 0; i < width; i++) sum += x[i];
        mean = round_shift(sum * m->mean_mult, m->mean_shift);
    }
    for (int64_t i = 0; i < width; i++) s += (x[i] - mean) * (x[i] - mean);
    if (s < 1) s = 1;
    int e = floor_log2(s) / 2, up = 9 - 2 * e;
    int64_t r = m->rsqrt[up > 0 ? s << up : s >> -up], shift = n->shift, most = limit(m->norm);
    int64_t half_e = half_of(e), half = half_of(shift);
    for (int64_t i = 0; i < width; i++) {
        int64_t u = (((x[i] - mean) * r + half_e) >> e) * n->gain[i] + (n->bias ? n->bias[i] : 0);
        int64_t v = (u + half) >> shift, y = clamped(v, most);
        limited += v != y;
        to[i] = (int16_t)y;
    }
    return limited;
}

// hidden of one block of rows, of gate and of what it is multiplied by
static inline int64_t activate(const Model *m, const Layer *l, const int32_t *gate, const int32_t *up,
                               int16_t *to) {
    int32_t place[ROWS], first[ROWS], next[ROWS];
    int64_t half = half_of(l->hidden_shift), most = limit(m->hidden), limited = 0;
    EACH_ROW(i) place[i] = (gate[i] < 0 ? -gate[i] : gate[i]) << (14 - l->gate_frac);
    EACH_ROW(i) {
        int32_t index = place[i] >> 9 < 512 ? place[i] >> 9 : 512;
        first[i] = m->gate_table[index], next[i] = m->gate_table[index + 1];
    }
    EACH_ROW(i) {
        int32_t share = first[i] + (((next[i] - first[i]) * (place[i] & 511) + 256) >> 9);
        int64_t y = (gate[i] * (gate[i] < 0 ? 65536 - share : share) + (1 << 13)) >> 14;  // of 32 bits
        int64_t x = (y * up[i] + half) >> l->hidden_shift, z = clamped(x, most);
        limited += x != z;
        to[i] = (int16_t)z;
    }
    return limited;
}

// a row of activations becomes what products take, and sums of groups
static void enter(Input *in, int64_t t, int64_t width) {
    int16_t *a = in->values + t * in->stride;
    double *sums16 = in->sums16 + t * in->stride / 16, *sums32 = in->sums32 + t * in->stride / 16;
    for (int64_t g = 0; g < width / 16; g++) {
        int32_t sum = 0;
        for (int i = 0; i < 16; i++) sum += a[g * 16 + i];
        sums16[g] = sum;
    }
    for (int64_t g = 0; g < width / 32; g++) sums32[g] = sums16[2 * g] + sums16[2 * g + 1];
    prepare(a, in->stride);
}
