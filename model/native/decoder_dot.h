// Exact products of queries with keys, both of 8 to 16 bits. Columns come in multiples of STEP.
#include <stdint.h>

#define STEP 32

#if defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512DQ__)
#include <immintrin.h>
#define DOT_NAME "AVX512-VNNI"

// a . b of numbers that have so many bits together: 2^(32 - bits) steps of two products fit a lane
static inline int64_t dot(const int16_t *a, const int16_t *b, int64_t columns, int64_t bits) {
    __m512i sum = _mm512_setzero_si512();
    int64_t most = STEP * ((int64_t)1 << (32 - bits));
    for (int64_t begin = 0; begin < columns; begin += most) {
        __m512i part = _mm512_setzero_si512();
        int64_t end = begin + most < columns ? begin + most : columns;
        for (int64_t c = begin; c < end; c += STEP)
            part = _mm512_dpwssd_epi32(part, _mm512_loadu_si512(a + c), _mm512_loadu_si512(b + c));
        sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(part)));
        sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(part, 1)));
    }
    return _mm512_reduce_add_epi64(sum);
}

#else
#define DOT_NAME "plain C"

static inline int64_t dot(const int16_t *a, const int16_t *b, int64_t columns, int64_t bits) {
    (void)bits;
    int64_t sum = 0;
    for (int64_t c = 0; c < columns; c++) sum += (int32_t)a[c] * b[c];
    return sum;
}
#endif
