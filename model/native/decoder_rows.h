// Exact products of a matrix with 16-bit activations, ROWS rows at a time: a lane is a row.
//
// Codes lie in the order of use: [block of rows][pair of columns][row][2], or, of at most 4 bits,
// [block of rows][two pairs][row][2], the second pair in the high halves of the bytes. Scales and
// minimums of groups lie [block of rows][group][row]. Nothing is summed across lanes, and each
// weight is widened once for all tokens.
#define ROWS 16
#define FLUSH 128  // pairs: 2 * 128 * 2^7 * 2^15 = 2^30 fits a lane

typedef struct {
    int64_t out, inp, padded, group, shift, nibbles, offset, min_shift;
    const int8_t *codes;
    const uint8_t *scale;  // of groups, or null
    const int8_t *low;     // of groups in units of 2^min_shift, or null
    const uint16_t *mult;  // [out, padded to ROWS]
    const int64_t *bias;   // [out, padded to ROWS], or null
} Matrix;

static inline int64_t weight(const Matrix *w, int64_t row, int64_t column) {
    int64_t block = row / ROWS, lane = row % ROWS, pair = column / 2, code, at = lane * 2 + column % 2;
    if (w->nibbles) {
        int8_t both = w->codes[block * ROWS * w->padded / 2 + pair / 2 * 2 * ROWS + at];
        code = pair % 2 ? both >> 4 : (int8_t)((uint8_t)both << 4) >> 4;
    } else
        code = w->codes[block * ROWS * w->padded + pair * 2 * ROWS + at];
    if (!w->group) return code;
    int64_t group = (block * (w->padded / w->group) + column / w->group) * ROWS + lane;
    return (code + w->offset) * w->scale[group] + (w->low ? (int64_t)w->low[group] << w->min_shift : 0);
}

#if defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512DQ__)

typedef __m512i lanes;  // 32 bits of every row

static inline lanes all(int32_t value) { return _mm512_set1_epi32(value); }

static inline __m512i pair_of(const int16_t *a) {
    int32_t both;
    memcpy(&both, a, sizeof both);
    return _mm512_set1_epi32(both);
}

static inline lanes pair_dot(lanes acc, __m512i w, const int16_t *a) {
    return _mm512_dpwssd_epi32(acc, w, pair_of(a));
}

static inline lanes added(lanes a, lanes b) { return _mm512_add_epi32(a, b); }

static inline __m512i codes_of(const int8_t *codes) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)codes));
}

static inline __m512i low_half(__m512i w) { return _mm512_srai_epi16(_mm512_slli_epi16(w, 12), 12); }

static inline __m512i high_half(__m512i w) { return _mm512_srai_epi16(w, 4); }

static inline lanes unsigned_bytes(const uint8_t *from) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
}

static inline lanes signed_bytes(const int8_t *from) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from));
}

// sums[row] += a * b
static inline void accumulate(int64_t *sums, lanes a, lanes b) {
    __m512i low = _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)),
                                   _mm512_cvtepi32_epi64(_mm512_castsi512_si256(b)));
    __m512i high = _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1)),
                                    _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(b, 1)));
    _mm512_storeu_si512(sums, _mm512_add_epi64(_mm512_loadu_si512(sums), low));
    _mm512_storeu_si512(sums + 8, _mm512_add_epi64(_mm512_loadu_si512(sums + 8), high));
}

#else

typedef struct {
    int32_t row[ROWS];
} lanes;
typedef struct {
    int16_t of[2 * ROWS];
} pairs;
#define __m512i pairs

static inline lanes all(int32_t value) {
    lanes to;
    for (int i = 0; i < ROWS; i++) to.row[i] = value;
    return to;
}

static inline lanes pair_dot(lanes acc, pairs w, const int16_t *a) {
    for (int i = 0; i < ROWS; i++) acc.row[i] += w.of[2 * i] * a[0] + w.of[2 * i + 1] * a[1];
    return acc;
}

static inline lanes added(lanes a, lanes b) {
    for (int i = 0; i < ROWS; i++) a.row[i] += b.row[i];
    return a;
}

static inline pairs codes_of(const int8_t *codes) {
    pairs to;
    for (int i = 0; i < 2 * ROWS; i++) to.of[i] = codes[i];
    return to;
}

static inline pairs low_half(pairs w) {
    for (int i = 0; i < 2 * ROWS; i++) w.of[i] = (int16_t)((uint16_t)w.of[i] << 12) >> 12;
    return w;
}

static inline pairs high_half(pairs w) {
    for (int i = 0; i < 2 * ROWS; i++) w.of[i] >>= 4;
    return w;
}

static inline lanes unsigned_bytes(const uint8_t *from) {
    lanes to;
    for (int i = 0; i < ROWS; i++) to.row[i] = from[i];
    return to;
}

static inline lanes signed_bytes(const int8_t *from) {
    lanes to;
    for (int i = 0; i < ROWS; i++) to.row[i] = from[i];
    return to;
}

static inline void accumulate(int64_t *sums, lanes a, lanes b) {
    for (int i = 0; i < ROWS; i++) sums[i] += (int64_t)a.row[i] * b.row[i];
}
#endif

// sums[t][row] of one block of rows; group_sums [tokens, groups] are those of the activations.
// Inlined with constant tokens, nibbles and group.
static inline __attribute__((always_inline)) void rows_of(
    const Matrix *w, int64_t block, const int16_t *a, int64_t stride, const int64_t *group_sums,
    int tokens, int nibbles, int64_t group, int64_t sums[][ROWS]) {
    int64_t padded = w->padded, step = group ? group / 2 : FLUSH, n = padded / 2, groups = n / step;
    const int8_t *codes = w->codes + block * ROWS * (nibbles ? padded / 2 : padded);
    for (int64_t begin = 0; begin < n; begin += step) {
        int64_t end = begin + step < n ? begin + step : n, g = begin / step;
        lanes acc[tokens], other[tokens];
        for (int t = 0; t < tokens; t++) {
            acc[t] = all(group && w->low ? (int32_t)(w->offset * group_sums[t * groups + g]) : 0);
            other[t] = all(0);
        }
        for (int64_t p = begin; p < end; p += 2) {  // pairs come by two
            __m512i first, second;
            if (nibbles) {
                __m512i both = codes_of(codes + p * ROWS);
                first = low_half(both), second = high_half(both);
            } else
                first = codes_of(codes + p * 2 * ROWS), second = codes_of(codes + (p + 1) * 2 * ROWS);
            for (int t = 0; t < tokens; t++) {
                acc[t] = pair_dot(acc[t], first, a + t * stride + 2 * p);
                other[t] = pair_dot(other[t], second, a + t * stride + 2 * p + 2);
            }
        }
        int64_t at = (block * groups + g) * ROWS;
        lanes scale = group ? unsigned_bytes(w->scale + at) : all(1);
        for (int t = 0; t < tokens; t++) accumulate(sums[t], added(acc[t], other[t]), scale);
        if (group && w->low) {
            lanes low = signed_bytes(w->low + at);
            for (int t = 0; t < tokens; t++)
                accumulate(sums[t], low, all((int32_t)(group_sums[t * groups + g] << w->min_shift)));
        }
    }
}

#define OF_GROUP(tokens, nibbles)                                                        \
    (w->group == 32   ? rows_of(w, block, a, stride, group_sums, tokens, nibbles, 32, sums) \
     : w->group == 16 ? rows_of(w, block, a, stride, group_sums, tokens, nibbles, 16, sums) \
                      : rows_of(w, block, a, stride, group_sums, tokens, nibbles, 0, sums))
#define OF_TOKENS(tokens) (w->nibbles ? OF_GROUP(tokens, 1) : OF_GROUP(tokens, 0))

// sums[t][row] = W . a[t] of the block's rows, a[t] = a + t * stride
static void block_rows(const Matrix *w, int64_t block, const int16_t *a, int64_t stride,
                       const int64_t *group_sums, int tokens, int64_t sums[][ROWS]) {
    memset(sums, 0, (size_t)tokens * sizeof *sums);
    if (tokens == BLOCK) {
        OF_TOKENS(BLOCK);
        return;
    }
    int64_t groups = w->group ? w->padded / w->group : 0;
    for (int t = 0; t < tokens; t++, a += stride, group_sums += groups, sums++) OF_TOKENS(1);
}
