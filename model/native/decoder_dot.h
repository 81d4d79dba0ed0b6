// Exact products of 8-bit codes with 16-bit activations. Columns come in multiples of STEP; a lane of
// 32 bits takes two products a step, so that LONGEST columns cannot overflow it.
#include <stdint.h>

#define STEP 32
#define LONGEST 4096

#if defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512VL__)
#include <immintrin.h>
#define DOT_NAME "AVX512-VNNI"

static inline int64_t lanes_sum(__m512i v) {
    __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
    __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));
    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

static inline __m512i widened(const int8_t *codes) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)codes));
}

// sums[t] = codes . a[t], a[t] = activations + t * stride, of `tokens` up to 4
static inline void dots(const int8_t *codes, const int16_t *a, int64_t stride, int columns, int tokens,
                        int64_t *sums) {
    for (int t = 0; t < tokens; t++) sums[t] = 0;
    for (int begin = 0; begin < columns; begin += LONGEST) {
        int end = columns - begin < LONGEST ? columns : begin + LONGEST;
        __m512i acc[4] = {0};
        if (tokens == 4)
            for (int c = begin; c < end; c += STEP) {
                __m512i w = widened(codes + c);
                for (int t = 0; t < 4; t++)
                    acc[t] = _mm512_dpwssd_epi32(acc[t], w, _mm512_loadu_si512(a + t * stride + c));
            }
        else
            for (int t = 0; t < tokens; t++) {
                __m512i other = _mm512_setzero_si512();
                int c = begin;
                for (; c + 2 * STEP <= end; c += 2 * STEP) {
                    acc[t] = _mm512_dpwssd_epi32(acc[t], widened(codes + c),
                                                 _mm512_loadu_si512(a + t * stride + c));
                    other = _mm512_dpwssd_epi32(other, widened(codes + c + STEP),
                                                _mm512_loadu_si512(a + t * stride + c + STEP));
                }
                if (c < end)
                    acc[t] = _mm512_dpwssd_epi32(acc[t], widened(codes + c),
                                                 _mm512_loadu_si512(a + t * stride + c));
                acc[t] = _mm512_add_epi32(acc[t], other);
            }
        for (int t = 0; t < tokens; t++) sums[t] += lanes_sum(acc[t]);
    }
}

#else
#define DOT_NAME "plain C"
#define CHUNK 256  // 2^7 * 2^15 * 2^8 fits 32 bits

static inline int32_t short_dot(const int8_t *codes, const int16_t *a, int columns) {
    int32_t sum = 0;
    for (int c = 0; c < columns; c++) sum += (int32_t)codes[c] * a[c];
    return sum;
}

static inline void dots(const int8_t *codes, const int16_t *a, int64_t stride, int columns, int tokens,
                        int64_t *sums) {
    for (int t = 0; t < tokens; t++) {
        sums[t] = 0;
        for (int c = 0; c < columns; c += CHUNK)
            sums[t] += short_dot(codes + c, a + t * stride + c,
                                 columns - c < CHUNK ? columns - c : CHUNK);
    }
}
#endif
