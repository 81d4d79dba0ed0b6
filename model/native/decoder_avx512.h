// Products on processors with AVX512-VNNI: sums of four products of bytes in a lane of 32 bits.
//
// An activation a enters as the two bytes of a + INPUT_ZERO, four low ones and four high ones side by
// side: instructions multiply unsigned bytes by signed ones. What that adds, INPUT_ZERO times the
// sum of a row's weights, decoder_pack.py takes off again.
#include <immintrin.h>

#define DOT_NAME "AVX512-VNNI"
#define INPUT_ZERO 32768
#define TILE 8          // tokens whose sums fit the registers
#define FLUSH (1 << 15)  // columns: 2^15 * 2^8 * 2^7 = 2^30 fits a lane

typedef struct {
    __m512i low, high;
} Dots;

// activations as the products want them, in place; columns in multiples of 32
static inline void prepare(int16_t *a, int64_t columns) {
    const __m512i zero = _mm512_set1_epi16((int16_t)INPUT_ZERO);
    const __m512i order = _mm512_set4_epi32(0x0f0d0b09, 0x0e0c0a08, 0x07050301, 0x06040200);
    for (int64_t c = 0; c < columns; c += 32) {
        __m512i x = _mm512_xor_si512(_mm512_loadu_si512(a + c), zero);
        _mm512_storeu_si512(a + c, _mm512_shuffle_epi8(x, order));
    }
}

static inline Dots no_dots(void) { return (Dots){_mm512_setzero_si512(), _mm512_setzero_si512()}; }

// four columns of every row times four activations
static inline Dots multiplied(Dots sum, __m512i codes, const int16_t *a) {
    int32_t low, high;
    memcpy(&low, a, sizeof low);
    memcpy(&high, a + 2, sizeof high);
    sum.low = _mm512_dpbusd_epi32(sum.low, _mm512_set1_epi32(low), codes);
    sum.high = _mm512_dpbusd_epi32(sum.high, _mm512_set1_epi32(high), codes);
    return sum;
}

typedef __m512i Codes;

static inline Codes bytes_of(const int8_t *codes) { return _mm512_loadu_si512(codes); }

// of two columns of four, the first or the second
static inline Codes nibbles_of(const int8_t *codes, int second) {
    const __m512i value = _mm512_set4_epi32(0xfffefdfc, 0xfbfaf9f8, 0x07060504, 0x03020100);
    __m512i both = _mm512_loadu_si512(codes);
    if (second) both = _mm512_srli_epi16(both, 4);
    return _mm512_shuffle_epi8(value, _mm512_and_si512(both, _mm512_set1_epi8(15)));
}

static inline Dots both_dots(Dots a, Dots b) {
    return (Dots){_mm512_add_epi32(a.low, b.low), _mm512_add_epi32(a.high, b.high)};
}

typedef struct {
    __m512d of[2];
} Sums;  // of sixteen rows

static inline Sums sums_at(const double *from) {
    return (Sums){{_mm512_loadu_pd(from), _mm512_loadu_pd(from + 8)}};
}

static inline void store_sums(double *to, Sums s) {
    _mm512_storeu_pd(to, s.of[0]);
    _mm512_storeu_pd(to + 8, s.of[1]);
}

static inline Sums sums_of(__m512i lanes) {
    return (Sums){{_mm512_cvtepi32_pd(_mm512_castsi512_si256(lanes)),
                   _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(lanes, 1))}};
}

static inline Sums sums_of_unsigned(const uint8_t *from) {
    return sums_of(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)));
}

static inline Sums sums_of_signed(const int8_t *from) {
    return sums_of(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}

// s + a * b
static inline Sums plus_product(Sums s, Sums a, Sums b) {
    return (Sums){{_mm512_fmadd_pd(a.of[0], b.of[0], s.of[0]), _mm512_fmadd_pd(a.of[1], b.of[1], s.of[1])}};
}

static inline Sums plus_times(Sums s, Sums a, double b) {
    __m512d all = _mm512_set1_pd(b);
    return plus_product(s, a, (Sums){{all, all}});
}

// of at most FLUSH columns
static inline Sums plus_dots(Sums s, Dots x) {
    return plus_times(plus_times(s, sums_of(x.low), 1), sums_of(x.high), 256);
}

// of at most 32 columns
static inline Sums plus_scaled(Sums s, Dots x, Sums scale) {
    return plus_product(s, sums_of(_mm512_add_epi32(x.low, _mm512_slli_epi32(x.high, 8))), scale);
}

typedef __m512i Pairs;

static inline Pairs no_pairs(void) { return _mm512_setzero_si512(); }

// two columns of 16 bits of every row times two numbers
static inline Pairs pair_multiplied(Pairs sum, const int16_t *codes, const int16_t *a) {
    int32_t both;
    memcpy(&both, a, sizeof both);
    return _mm512_dpwssd_epi32(sum, _mm512_loadu_si512(codes), _mm512_set1_epi32(both));
}

static inline Sums plus_pairs(Sums s, Pairs x) { return plus_times(s, sums_of(x), 1); }
