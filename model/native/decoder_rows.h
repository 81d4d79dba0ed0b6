// Exact products of a matrix with 16-bit activations, ROWS rows at a time: a lane is a row.
//
// Codes lie in the order of use: [block of rows][four columns][row][4], or, of at most 4 bits,
// [block of rows][eight columns][row][4], the second four in the high halves of the bytes. Scales
// and minimums of groups lie [block of rows][group][row]. Sums are doubles: all are integers far
// below 2^53 (MAX_ROW_BOUND of the contract is 2^46), so no operation rounds.
#define ROWS 16
// Loops over rows stay loops until they become vectors; unrolled before that, they would not.
#define EACH_ROW(i) _Pragma("GCC unroll 1") for (int i = 0; i < ROWS; i++)
#define QUERIES 8  // that share one pass over keys and values

#if defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512DQ__)
#include "decoder_avx512.h"
#elif defined(__AVX2__)
#include "decoder_avx2.h"
#else
#include "decoder_plain.h"
#endif

typedef struct {
    int64_t out, inp, padded, group, shift, nibbles, offset, min_shift;
    const int8_t *codes;
    const uint8_t *scale;    // of groups, or null
    const int8_t *low;       // of groups in units of 2^min_shift, or null
    const uint16_t *mult;    // [out, padded to ROWS]
    const int64_t *added;    // [out, padded to ROWS] to sums times mult: bias, less INPUT_ZERO's share
} Matrix;

static const double no_sums[ROWS];

static inline int64_t weight(const Matrix *w, int64_t row, int64_t column) {
    int64_t block = row / ROWS, lane = row % ROWS, code, at = lane * 4 + column % 4;
    if (w->nibbles) {
        int8_t both = w->codes[block * ROWS * w->padded / 2 + column / 8 * 4 * ROWS + at];
        code = column / 4 % 2 ? both >> 4 : (int8_t)((uint8_t)both << 4) >> 4;
    } else
        code = w->codes[block * ROWS * w->padded + column / 4 * 4 * ROWS + at];
    if (!w->group) return code;
    int64_t group = (block * (w->padded / w->group) + column / w->group) * ROWS + lane;
    return (code + w->offset) * w->scale[group] + (w->low ? (int64_t)w->low[group] << w->min_shift : 0);
}

// sums[t][row] = W . a[t] of one block of rows, a as prepared; group_sums[t * pitch + g] are those of the
// activations. Inlined with constant tokens, nibbles and group.
static inline __attribute__((always_inline)) void rows_of(
    const Matrix *w, int64_t block, const int16_t *a, int64_t stride, const double *group_sums,
    int64_t pitch, int tokens, int nibbles, int64_t group, double sums[][ROWS]) {
    int64_t n = w->padded, step = group ? group : FLUSH, groups = n / step;
    const int8_t *codes = w->codes + block * ROWS * (nibbles ? n / 2 : n);
    Sums sum[TILE];
    for (int t = 0; t < tokens; t++) sum[t] = sums_at(no_sums);
    for (int64_t begin = 0; begin < n; begin += step) {
        int64_t end = begin + step < n ? begin + step : n, g = begin / step;
        Dots acc[TILE], other = no_dots();
        for (int t = 0; t < tokens; t++) acc[t] = no_dots();
        for (int64_t c = begin; c < end; c += 8) {
            const int8_t *from = codes + c * ROWS / (nibbles ? 2 : 1);
            Codes first = nibbles ? nibbles_of(from, 0) : bytes_of(from);
            Codes second = nibbles ? nibbles_of(from, 1) : bytes_of(from + 4 * ROWS);
            for (int t = 0; t < tokens; t++) {
                const int16_t *eight = a + t * stride + c;
                acc[t] = multiplied(acc[t], first, eight);
                if (tokens == 1)  // two sums hide how long an addition takes
                    other = multiplied(other, second, eight + 4);
                else
                    acc[t] = multiplied(acc[t], second, eight + 4);
            }
        }
        if (tokens == 1) acc[0] = both_dots(acc[0], other);
        if (!group) {
            for (int t = 0; t < tokens; t++) sum[t] = plus_dots(sum[t], acc[t]);
            continue;
        }
        int64_t at = (block * groups + g) * ROWS;
        Sums scale = sums_of_unsigned(w->scale + at);
        for (int t = 0; t < tokens; t++) sum[t] = plus_scaled(sum[t], acc[t], scale);
        if (!w->low) continue;
        Sums low = plus_times(sums_at(no_sums), sums_of_signed(w->low + at), 1 << w->min_shift);
        low = plus_times(low, scale, w->offset);
        for (int t = 0; t < tokens; t++) sum[t] = plus_times(sum[t], low, group_sums[t * pitch + g]);
    }
    for (int t = 0; t < tokens; t++) store_sums(sums[t], sum[t]);
}

#define OF_GROUP(tokens, nibbles)                                                            \
    (w->group == 32   ? rows_of(w, block, a, stride, group_sums, pitch, tokens, nibbles, 32, sums) \
     : w->group == 16 ? rows_of(w, block, a, stride, group_sums, pitch, tokens, nibbles, 16, sums) \
                      : rows_of(w, block, a, stride, group_sums, pitch, tokens, nibbles, 0, sums))
#define OF_TOKENS(tokens) (w->nibbles ? OF_GROUP(tokens, 1) : OF_GROUP(tokens, 0))

// sums[t][row] = W . a[t] of the block's rows, a[t] = a + t * stride. Room for a multiple of TILE
// tokens must be there.
static void block_rows(const Matrix *w, int64_t block, const int16_t *a, int64_t stride,
                       const double *group_sums, int64_t pitch, int tokens,
                       double sums[][ROWS]) {
    for (int done = 0; done < tokens;) {
        int now = tokens - done > TILE / 2 ? TILE : 1;
        if (now == TILE)
            OF_TOKENS(TILE);
        else
            OF_TOKENS(1);
        done += now, a += now * stride, group_sums += now * pitch, sums += now;
    }
}

// sums[t][row] = codes . a[t] of ROWS rows of 16-bit codes [pair of columns][row][2], where the sum
// of ``most`` pairs fits 32 bits. Inlined with constant tokens.
static inline __attribute__((always_inline)) void pair_rows(
    const int16_t *codes, int64_t pairs, int64_t most, const int16_t *a, int64_t stride, int tokens,
    double sums[][ROWS]) {
    Sums sum[QUERIES];
    for (int t = 0; t < tokens; t++) sum[t] = sums_at(no_sums);
    for (int64_t begin = 0; begin < pairs; begin += most) {
        int64_t end = begin + most < pairs ? begin + most : pairs;
        Pairs acc[QUERIES];
        for (int t = 0; t < tokens; t++) acc[t] = no_pairs();
        for (int64_t p = begin; p < end; p++)
            for (int t = 0; t < tokens; t++)
                acc[t] = pair_multiplied(acc[t], codes + p * 2 * ROWS, a + t * stride + 2 * p);
        for (int t = 0; t < tokens; t++) sum[t] = plus_pairs(sum[t], acc[t]);
    }
    for (int t = 0; t < tokens; t++) store_sums(sums[t], sum[t]);
}
