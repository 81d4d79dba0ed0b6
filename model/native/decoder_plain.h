// Products in plain C, which compilers turn into whatever vectors a processor has.
#define DOT_NAME "plain C"
#define INPUT_ZERO 0
#define TILE 4
#define FLUSH 256  // columns: 2^8 * 2^7 * 2^15 = 2^30 fits a lane

typedef struct {
    int32_t row[16];
} Dots;

static inline void prepare(int16_t *a, int64_t columns) {
    (void)a;
    (void)columns;
}

static inline Dots no_dots(void) { return (Dots){{0}}; }

typedef struct {
    int16_t of[4][16];  // by column
} Codes;

static inline Codes bytes_of(const int8_t *codes) {
    Codes to;
    for (int c = 0; c < 4; c++)
        EACH_ROW(i) to.of[c][i] = codes[4 * i + c];
    return to;
}

// of two columns of four, the first or the second
static inline Codes nibbles_of(const int8_t *codes, int second) {
    Codes to;
    for (int c = 0; c < 4; c++)
        EACH_ROW(i) {
            int8_t both = codes[4 * i + c];
            to.of[c][i] = second ? both >> 4 : (int8_t)((uint8_t)both << 4) >> 4;
        }
    return to;
}

// four columns of every row times four activations
static inline Dots multiplied(Dots sum, Codes codes, const int16_t *a) {
    for (int c = 0; c < 4; c++)
        EACH_ROW(i) sum.row[i] += codes.of[c][i] * a[c];
    return sum;
}

static inline Dots both_dots(Dots a, Dots b) {
    EACH_ROW(i) a.row[i] += b.row[i];
    return a;
}

typedef struct {
    double of[16];
} Sums;  // of sixteen rows

static inline Sums sums_at(const double *from) {
    Sums s;
    memcpy(&s, from, sizeof s);
    return s;
}

static inline void store_sums(double *to, Sums s) { memcpy(to, &s, sizeof s); }

static inline Sums sums_of_unsigned(const uint8_t *from) {
    Sums s;
    EACH_ROW(i) s.of[i] = from[i];
    return s;
}

static inline Sums sums_of_signed(const int8_t *from) {
    Sums s;
    EACH_ROW(i) s.of[i] = from[i];
    return s;
}

static inline Sums plus_times(Sums s, Sums a, double b) {
    EACH_ROW(i) s.of[i] += a.of[i] * b;
    return s;
}

// of at most FLUSH columns
static inline Sums plus_dots(Sums s, Dots x) {
    EACH_ROW(i) s.of[i] += x.row[i];
    return s;
}

// of at most 32 columns
static inline Sums plus_scaled(Sums s, Dots x, Sums scale) {
    EACH_ROW(i) s.of[i] += x.row[i] * scale.of[i];
    return s;
}

typedef Dots Pairs;

static inline Pairs no_pairs(void) { return no_dots(); }

// two columns of 16 bits of every row times two numbers
static inline Pairs pair_multiplied(Pairs sum, const int16_t *codes, const int16_t *a) {
    EACH_ROW(i) sum.row[i] += codes[2 * i] * a[0] + codes[2 * i + 1] * a[1];
    return sum;
}

static inline Sums plus_pairs(Sums s, Pairs x) { return plus_dots(s, x); }
