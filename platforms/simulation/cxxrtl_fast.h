// Operations on CXXRTL's values, for the code that platforms/simulation/cxxrtl_rewrite.py makes of Yosys'
// output. CXXRTL slices by shifting the whole value and concatenates by shifting and merging all
// parts at every step; here both touch only the chunks concerned. Arithmetic of up to 64 bits is
// done in machine words, anything wider by CXXRTL.

#pragma once

#include <cxxrtl/cxxrtl.h>

#include <cstdint>
#include <initializer_list>

namespace fast {

using cxxrtl::value;

#define INLINE __attribute__((always_inline)) inline

constexpr uint64_t mask(size_t bits) {
	return bits >= 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
}

// The lowest 64 bits, zero extended.
template<size_t Bits>
INLINE uint64_t word(const value<Bits> &a) {
	if constexpr (Bits <= 32)
		return a.data[0];
	else
		return a.data[0] | uint64_t(a.data[1]) << 32;
}

// The lowest 64 bits, sign extended.
template<size_t Bits>
INLINE int64_t signed_word(const value<Bits> &a) {
	if constexpr (Bits >= 64)
		return int64_t(word(a));
	else
		return int64_t(word(a) << (64 - Bits)) >> (64 - Bits);
}

template<size_t Bits>
INLINE value<Bits> make(uint64_t word) {
	static_assert(Bits <= 64, "make() has one word");
	value<Bits> result;
	result.data[0] = uint32_t(word & mask(Bits));
	if constexpr (Bits > 32)
		result.data[1] = uint32_t((word & mask(Bits)) >> 32);
	return result;
}

template<size_t Stop, size_t Start, size_t Bits>
INLINE value<Stop - Start + 1> slice(const value<Bits> &a) {
	constexpr size_t width = Stop - Start + 1, shift = Start % 32, first = Start / 32;
	value<width> result;
	for (size_t i = 0; i < result.chunks; i++) {
		uint32_t chunk = a.data[first + i] >> shift;
		if (shift != 0 && first + i + 1 <= Stop / 32)
			chunk |= a.data[first + i + 1] << ((32 - shift) % 32);
		result.data[i] = chunk;
	}
	if constexpr (width % 32 != 0)
		result.data[result.chunks - 1] &= uint32_t(mask(width % 32));
	return result;
}

template<size_t Bits, size_t Part>
INLINE void place(value<Bits> &result, size_t start, const value<Part> &part) {
	const size_t shift = start % 32, first = start / 32;
	for (size_t i = 0; i < part.chunks; i++) {
		result.data[first + i] |= part.data[i] << shift;
		if (shift != 0 && first + i + 1 < result.chunks)
			result.data[first + i + 1] |= part.data[i] >> ((32 - shift) % 32);
	}
}

constexpr size_t sum(std::initializer_list<size_t> numbers) {
	size_t total = 0;
	for (size_t number : numbers)
		total += number;
	return total;
}

// Concatenation, the most significant part first. Neither a template within the other for each part
// nor an expression: compilers limit the depth of both, and there are a thousand parts.
template<size_t... Bits>
INLINE value<sum({Bits...})> concat(const value<Bits> &...parts) {
	value<sum({Bits...})> result;
	size_t end = sum({Bits...});
	const int each[] = {(place(result, end -= Bits, parts), 0)...};
	(void)each;
	return result;
}

template<size_t Count>
INLINE value<Count> repeat(const value<1> &a) {
	value<Count> result;
	for (size_t i = 0; i < result.chunks; i++)
		result.data[i] = -a.data[0];
	if constexpr (Count % 32 != 0)
		result.data[result.chunks - 1] &= uint32_t(mask(Count % 32));
	return result;
}

#define WORD_OPERATION(name, expression) \
	template<size_t Y, size_t A, size_t B> \
	INLINE value<Y> name##_uu(const value<A> &a, const value<B> &b) { \
		if constexpr (Y <= 64) { \
			uint64_t x = word(a), y = word(b); \
			return make<Y>(expression); \
		} else { \
			return cxxrtl_yosys::name##_uu<Y>(a, b); \
		} \
	} \
	template<size_t Y, size_t A, size_t B> \
	INLINE value<Y> name##_ss(const value<A> &a, const value<B> &b) { \
		if constexpr (Y <= 64) { \
			uint64_t x = uint64_t(signed_word(a)), y = uint64_t(signed_word(b)); \
			return make<Y>(expression); \
		} else { \
			return cxxrtl_yosys::name##_ss<Y>(a, b); \
		} \
	}

WORD_OPERATION(add, x + y)
WORD_OPERATION(sub, x - y)
WORD_OPERATION(mul, x * y)
WORD_OPERATION(and, x & y)
WORD_OPERATION(or, x | y)
WORD_OPERATION(xor, x ^ y)

#define COMPARISON(name, relation) \
	template<size_t Y, size_t A, size_t B> \
	INLINE value<Y> name##_uu(const value<A> &a, const value<B> &b) { \
		if constexpr (A <= 64 && B <= 64) \
			return value<Y>(uint32_t(word(a) relation word(b))); \
		else \
			return cxxrtl_yosys::name##_uu<Y>(a, b); \
	} \
	template<size_t Y, size_t A, size_t B> \
	INLINE value<Y> name##_ss(const value<A> &a, const value<B> &b) { \
		if constexpr (A <= 64 && B <= 64) \
			return value<Y>(uint32_t(signed_word(a) relation signed_word(b))); \
		else \
			return cxxrtl_yosys::name##_ss<Y>(a, b); \
	}

COMPARISON(eq, ==)
COMPARISON(ne, !=)
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

template<size_t Y, size_t A>
INLINE value<Y> not_u(const value<A> &a) {
	if constexpr (Y <= 64)
		return make<Y>(~word(a));
	else
		return cxxrtl_yosys::not_u<Y>(a);
}

template<size_t Y, size_t A>
INLINE value<Y> reduce_or(const value<A> &a) {
	uint32_t any = 0;
	for (size_t i = 0; i < a.chunks; i++)
		any |= a.data[i];
	return value<Y>(uint32_t(any != 0));
}

template<size_t Y, size_t A>
INLINE value<Y> reduce_bool(const value<A> &a) {
	return reduce_or<Y>(a);
}

template<size_t Y, size_t A>
INLINE value<Y> logic_not(const value<A> &a) {
	return value<Y>(uint32_t(!reduce_or<1>(a).data[0]));
}

template<size_t Y, size_t A>
INLINE value<Y> reduce_and(const value<A> &a) {
	if constexpr (A <= 64)
		return value<Y>(uint32_t(word(a) == mask(A)));
	else
		return cxxrtl_yosys::reduce_and<Y>(a);
}

#undef INLINE
#undef WORD_OPERATION
#undef COMPARISON

} // namespace fast
