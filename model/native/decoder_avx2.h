// Products on processors with AVX2: codes are widened, a lane of 32 bits sums two products.
#include <immintrin.h>

#define DOT_NAME "AVX2"
#define INPUT_ZERO 0
#define TILE 2
#define FLUSH 256  // columns: 2^8 * 2^7 * 2^15 = 2^30 fits the sum of two lanes

typedef struct {
    __m256i of[4];  // four rows each, a row's sum in two lanes
} Dots;

static inline void prepare(int16_t *a, int64_t columns) {
    (void)a;
    (void)columns;
}

static inline Dots no_dots(void) {
    __m256i zero = _mm256_setzero_si256();
    return (Dots){{zero, zero, zero, zero}};
}

typedef struct {
    __m256i of[4];
} Codes;

static inline Codes widened(__m256i low, __m256i high) {
    return (Codes){{_mm256_cvtepi8_epi16(_mm256_castsi256_si128(low)),
                    _mm256_cvtepi8_epi16(_mm256_extracti128_si256(low, 1)),
                    _mm256_cvtepi8_epi16(_mm256_castsi256_si128(high)),
                    _mm256_cvtepi8_epi16(_mm256_extracti128_si256(high, 1))}};
}

static inline Codes bytes_of(const int8_t *codes) {
    return widened(_mm256_loadu_si256((const __m256i *)codes),
                   _mm256_loadu_si256((const __m256i *)(codes + 32)));
}

static inline __m256i nibble(__m256i both, int second) {
    const __m256i value = _mm256_setr_epi32(0x03020100, 0x07060504, 0xfbfaf9f8, 0xfffefdfc, 0x03020100,
                                            0x07060504, 0xfbfaf9f8, 0xfffefdfc);
    if (second) both = _mm256_srli_epi16(both, 4);
    return _mm256_shuffle_epi8(value, _mm256_and_si256(both, _mm256_set1_epi8(15)));
}

// of two columns of four, the first or the second
static inline Codes nibbles_of(const int8_t *codes, int second) {
    return widened(nibble(_mm256_loadu_si256((const __m256i *)codes), second),
                   nibble(_mm256_loadu_si256((const __m256i *)(codes + 32)), second));
}

// four columns of every row times four activations
static inline Dots multiplied(Dots sum, Codes codes, const int16_t *a) {
    int64_t four;
    memcpy(&four, a, sizeof four);
    for (int i = 0; i < 4; i++) {
        __m256i two = _mm256_madd_epi16(codes.of[i], _mm256_set1_epi64x(four));
        sum.of[i] = _mm256_add_epi32(sum.of[i], two);
    }
    return sum;
}

static inline Dots both_dots(Dots a, Dots b) {
    for (int i = 0; i < 4; i++) a.of[i] = _mm256_add_epi32(a.of[i], b.of[i]);
    return a;
}

typedef struct {
    __m256d of[4];
} Sums;  // of sixteen rows

static inline Sums sums_at(const double *from) {
    Sums s;
    for (int i = 0; i < 4; i++) s.of[i] = _mm256_loadu_pd(from + 4 * i);
    return s;
}

static inline void store_sums(double *to, Sums s) {
    for (int i = 0; i < 4; i++) _mm256_storeu_pd(to + 4 * i, s.of[i]);
}

static inline int32_t four_bytes(const void *from) {
    int32_t four;
    memcpy(&four, from, sizeof four);
    return four;
}

static inline Sums sums_of_unsigned(const uint8_t *from) {
    Sums s;
    for (int i = 0; i < 4; i++)
        s.of[i] = _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four_bytes(from + 4 * i))));
    return s;
}

static inline Sums sums_of_signed(const int8_t *from) {
    Sums s;
    for (int i = 0; i < 4; i++)
        s.of[i] = _mm256_cvtepi32_pd(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(four_bytes(from + 4 * i))));
    return s;
}

// s + a * b
static inline Sums plus_product(Sums s, Sums a, Sums b) {
    for (int i = 0; i < 4; i++) s.of[i] = _mm256_add_pd(s.of[i], _mm256_mul_pd(a.of[i], b.of[i]));
    return s;
}

static inline Sums plus_times(Sums s, Sums a, double b) {
    __m256d all = _mm256_set1_pd(b);
    return plus_product(s, a, (Sums){{all, all, all, all}});
}

static inline Sums sums_of(Dots x) {
    Sums s;
    for (int i = 0; i < 4; i++) {
        __m256i two = _mm256_add_epi32(x.of[i], _mm256_srli_epi64(x.of[i], 32));
        __m256i four = _mm256_permutevar8x32_epi32(two, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        s.of[i] = _mm256_cvtepi32_pd(_mm256_castsi256_si128(four));
    }
    return s;
}

// of at most FLUSH columns
static inline Sums plus_dots(Sums s, Dots x) { return plus_times(s, sums_of(x), 1); }

// of at most 32 columns
static inline Sums plus_scaled(Sums s, Dots x, Sums scale) { return plus_product(s, sums_of(x), scale); }

typedef struct {
    __m256i of[2];
} Pairs;

static inline Pairs no_pairs(void) {
    return (Pairs){{_mm256_setzero_si256(), _mm256_setzero_si256()}};
}

// two columns of 16 bits of every row times two numbers
static inline Pairs pair_multiplied(Pairs sum, const int16_t *codes, const int16_t *a) {
    int32_t both;
    memcpy(&both, a, sizeof both);
    for (int i = 0; i < 2; i++) {
        __m256i row = _mm256_loadu_si256((const __m256i *)(codes + 16 * i));
        sum.of[i] = _mm256_add_epi32(sum.of[i], _mm256_madd_epi16(row, _mm256_set1_epi32(both)));
    }
    return sum;
}

static inline Sums plus_pairs(Sums s, Pairs x) {
    for (int i = 0; i < 2; i++) {
        __m256d low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(x.of[i]));
        __m256d high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(x.of[i], 1));
        s.of[2 * i] = _mm256_add_pd(s.of[2 * i], low);
        s.of[2 * i + 1] = _mm256_add_pd(s.of[2 * i + 1], high);
    }
    return s;
}
