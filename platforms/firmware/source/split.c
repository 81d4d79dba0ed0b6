// Two regular expressions and the isolation of digits; model/text/readers/gguf_splits.py has them.
#include "split.h"

#include <stdbool.h>

#include "model.h"

#if ENCODER

#if !ENCODER_SPLIT && !ENCODER_ISOLATE_DIGITS

uint32_t split_size(const uint8_t *text, uint32_t bytes)
{
	(void)text;
	return bytes;
}

#else

enum kind { END, LETTER, NUMERAL, SPACE, OTHER };

// A character and where the next one begins.
struct character {
	enum kind kind;
	uint32_t code, next;
};

static bool within(const uint32_t (*ranges)[2], uint32_t count, uint32_t code)
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (ranges[middle][1] < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ranges[low][0] <= code;
}

static bool is_space(uint32_t code)
{
	return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 ||
	       code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
	       code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

static struct character look(const uint8_t *text, uint32_t bytes, uint32_t at)
{
	if (at >= bytes)
		return (struct character){END, 0, at};
	uint32_t size = character_bytes(text[at]), code = text[at];
	if (size > bytes - at)
		size = bytes - at;
	if (size > 1)
		code &= 0x7F >> size;
	for (uint32_t i = 1; i < size; i++)
		code = code << 6 | (text[at + i] & 0x3F);
	enum kind kind = within(letters, LETTERS, code)	    ? LETTER
			 : within(numerals, NUMERALS, code) ? NUMERAL
			 : is_space(code)		    ? SPACE
							    : OTHER;
	return (struct character){kind, code, at + size};
}

#if ENCODER_SPLIT
// Where characters of a kind that begin there end; at most so many of them, if most is not 0.
static uint32_t run(const uint8_t *text, uint32_t bytes, uint32_t at, enum kind kind, uint32_t most)
{
	struct character next = look(text, bytes, at);
	for (uint32_t count = 0; next.kind == kind && (!most || count < most); count++) {
		at = next.next;
		next = look(text, bytes, at);
	}
	return at;
}

static uint32_t lower(uint32_t code)
{
#if ENCODER_SPLIT == SPLIT_WORDS
	if (code >= 'A' && code <= 'Z')
		return code + 'a' - 'A';
	if (code == 0x17F) // a long s is one in either case
		return 's';
#endif
	return code;
}

// 's, 't, 're, 've, 'm, 'll, 'd: its size, or 0.
static uint32_t contraction(const uint8_t *text, uint32_t bytes)
{
	static const char pairs[][3] = {"re", "ve", "ll"};
	if (text[0] != '\'')
		return 0;
	struct character first = look(text, bytes, 1);
	if (first.kind == END)
		return 0;
	uint32_t code = lower(first.code);
	if (code == 's' || code == 't' || code == 'm' || code == 'd')
		return first.next;
	struct character second = look(text, bytes, first.next);
	for (uint32_t i = 0; second.kind != END && i < sizeof pairs / sizeof pairs[0]; i++)
		if (code == (uint32_t)pairs[i][0] && lower(second.code) == (uint32_t)pairs[i][1])
			return second.next;
	return 0;
}

static bool is_newline(uint32_t code)
{
	return code == '\r' || code == '\n';
}

// Spaces up to the last newline, if the words are split so, or else all but the last one before
// something else.
static uint32_t spaces(const uint8_t *text, uint32_t bytes)
{
	uint32_t last = 0, at = 0, newline = 0;
	struct character next = look(text, bytes, 0);
	while (next.kind == SPACE) {
		last = at;
		at = next.next;
		if (is_newline(next.code))
			newline = at;
		next = look(text, bytes, at);
	}
	if (ENCODER_SPLIT == SPLIT_WORDS && newline)
		return newline;
	return next.kind == END || !last ? at : last;
}

static uint32_t pattern_size(const uint8_t *text, uint32_t bytes)
{
	uint32_t size = contraction(text, bytes);
	if (size)
		return size;
	struct character first = look(text, bytes, 0), second = look(text, bytes, first.next);
	uint32_t after_space = first.code == ' ' ? first.next : 0;
#if ENCODER_SPLIT == SPLIT_WORDS
	if (first.kind == LETTER || (first.kind != NUMERAL && !is_newline(first.code) &&
				     second.kind == LETTER))
		return run(text, bytes, first.next, LETTER, 0);
	if (first.kind == NUMERAL)
		return run(text, bytes, 0, NUMERAL, ENCODER_DIGITS);
	if (first.kind == OTHER || (after_space && second.kind == OTHER)) {
		size = run(text, bytes, after_space, OTHER, 0);
		while (size < bytes && is_newline(text[size]))
			size++;
		return size;
	}
#else
	enum kind kind = after_space ? second.kind : first.kind;
	if (kind == LETTER || kind == NUMERAL || kind == OTHER)
		return run(text, bytes, after_space, kind, 0);
#endif
	return spaces(text, bytes);
}
#endif

uint32_t split_size(const uint8_t *text, uint32_t bytes)
{
#if ENCODER_ISOLATE_DIGITS
	struct character first = look(text, bytes, 0);
	if (first.kind == NUMERAL)
		return first.next;
	// the rest up to the next digit is a text of its own
	struct character next = first;
	uint32_t end = first.next;
	while ((next = look(text, bytes, end)).kind != NUMERAL && next.kind != END)
		end = next.next;
	bytes = end;
#endif
#if ENCODER_SPLIT
	return pattern_size(text, bytes);
#else
	return bytes;
#endif
}

#endif
#endif
