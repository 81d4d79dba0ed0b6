#include "encode.h"

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

#if ENCODER

#include "split.h"

#define NO_SYMBOL UINT32_MAX
#define NO_MERGE UINT32_MAX

#define NOWHERE UINT32_MAX

// What is being merged, by where it was at first: symbols, where each begins, those behind and
// before it that are left, and the merge of it with the one behind.
static uint32_t symbols[LINE_DEPTH + 1], begins[LINE_DEPTH + 2], pairs[LINE_DEPTH + 1];
static uint32_t behind[LINE_DEPTH + 1], ahead[LINE_DEPTH + 2];
// Those that have a merge, as a binary heap, the first one to be merged at its top; where each is.
static uint32_t heap[LINE_DEPTH + 1], places[LINE_DEPTH + 1], heap_size;
#if ENCODER_PREFIX
static uint8_t padded[LINE_DEPTH + 1]; // a text with the space before it
#endif

static struct {
	uint16_t *tokens;
	uint32_t room, count;
} out;

static enum encoded put(uint32_t token)
{
	if (out.count == out.room)
		return ENCODED_TOO_LONG;
	out.tokens[out.count++] = token;
	return ENCODED;
}

uint32_t character_bytes(uint8_t first)
{
	return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

#if !ENCODER_BY_BYTES
static uint32_t symbol_of(const uint8_t *text, uint32_t bytes)
{
	uint32_t character = 0, low = 0, high = ENCODER_CHARACTERS;
	for (uint32_t i = 0; i < bytes; i++)
		character = character << 8 | text[i];
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (encoder_characters[middle].character < character)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < ENCODER_CHARACTERS && encoder_characters[low].character == character;
	return found ? encoder_characters[low].symbol : NO_SYMBOL;
}
#endif

// The number of the merge of two symbols.
static uint32_t merge_of(uint32_t left, uint32_t right)
{
	uint32_t low = 0, high = ENCODER_MERGES;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct encoder_merge *merge = &encoder_merges[middle];
		if (merge->left < left || (merge->left == left && merge->right < right))
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < ENCODER_MERGES && encoder_merges[low].left == left &&
		     encoder_merges[low].right == right;
	return found ? low : NO_MERGE;
}

// Whether the merge of one has the lesser rank or, of equals, is further left.
static bool comes_first(uint32_t one, uint32_t other)
{
	uint32_t rank = encoder_merges[pairs[one]].rank, than = encoder_merges[pairs[other]].rank;
	return rank < than || (rank == than && one < other);
}

static void place(uint32_t at, uint32_t symbol)
{
	heap[at] = symbol;
	places[symbol] = at;
}

// Let a symbol rise or sink to its place in the heap, from one that is free for it.
static void sift(uint32_t at, uint32_t symbol)
{
	for (; at && comes_first(symbol, heap[(at - 1) / 2]); at = (at - 1) / 2)
		place(at, heap[(at - 1) / 2]);
	for (uint32_t child; (child = 2 * at + 1) < heap_size; at = child) {
		if (child + 1 < heap_size && comes_first(heap[child + 1], heap[child]))
			child++;
		if (!comes_first(heap[child], symbol))
			break;
		place(at, heap[child]);
	}
	place(at, symbol);
}

// What a symbol and the one behind it merge to from now on, or NO_MERGE.
static void set_pair(uint32_t symbol, uint32_t merge)
{
	uint32_t at = places[symbol];
	pairs[symbol] = merge;
	if (merge != NO_MERGE) {
		sift(at == NOWHERE ? heap_size++ : at, symbol);
	} else if (at != NOWHERE) {
		uint32_t last = heap[--heap_size];
		places[symbol] = NOWHERE;
		if (last != symbol)
			sift(at, last);
	}
}

// Symbols of a text; their number.
static uint32_t begin_merging(const uint8_t *text, uint32_t bytes)
{
	uint32_t length = 0;
	for (uint32_t at = 0; at < bytes; length++) {
		begins[length] = at;
#if ENCODER_BY_BYTES
		symbols[length] = encoder_bytes[text[at++]];
#else
		uint32_t size = character_bytes(text[at]);
		if (size > bytes - at)
			size = bytes - at;
		symbols[length] = symbol_of(text + at, size);
		at += size;
#endif
	}
	begins[length] = bytes;
	heap_size = 0;
	for (uint32_t i = 0; i < length; i++) {
		behind[i] = i + 1;
		ahead[i + 1] = i;
		places[i] = NOWHERE;
	}
	for (uint32_t i = 0; i + 1 < length; i++)
		set_pair(i, merge_of(symbols[i], symbols[i + 1]));
	return length;
}

static enum encoded put_merged(const uint8_t *text, uint32_t length)
{
	enum encoded result = ENCODED;
	for (uint32_t i = 0; i < length && result == ENCODED; i = behind[i]) {
		if (symbols[i] < VOCAB_SIZE) {
			result = put(symbols[i]);
			continue;
		}
		for (uint32_t at = begins[i]; at < begins[behind[i]] && result == ENCODED; at++) {
			uint32_t token = encoder_bytes[text[at]];
			result = token == NO_SYMBOL ? ENCODED_NO_TOKEN : put(token);
		}
	}
	return result;
}

#if ENCODER_WORDS
// Below, at or above 0: how a word compares with a text.
static int compare(const struct encoder_text *word, const uint8_t *text, uint32_t bytes)
{
	const uint8_t *content = encoder_text_bytes + word->begin;
	for (uint32_t i = 0; i < word->bytes && i < bytes; i++)
		if (content[i] != text[i])
			return content[i] - text[i];
	return word->bytes < bytes ? -1 : word->bytes > bytes;
}

static const struct encoder_text *word_of(const uint8_t *text, uint32_t bytes)
{
	uint32_t low = 0, high = ENCODER_WORDS;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = compare(&encoder_words[middle], text, bytes);
		if (!order)
			return &encoder_words[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
#endif

// A text that no split divides.
static enum encoded encode_word(const uint8_t *text, uint32_t bytes)
{
#if ENCODER_WORDS
	const struct encoder_text *word = word_of(text, bytes);
	if (word)
		return put(word->token);
#endif
	uint32_t length = begin_merging(text, bytes);
	while (heap_size) {
		uint32_t at = heap[0], gone = behind[at], next = behind[gone];
		symbols[at] = encoder_merges[pairs[at]].result;
		set_pair(gone, NO_MERGE);
		behind[at] = next;
		ahead[next] = at;
		set_pair(at, next < length ? merge_of(symbols[at], symbols[next]) : NO_MERGE);
		if (at)
			set_pair(ahead[at], merge_of(symbols[ahead[at]], symbols[at]));
	}
	return put_merged(text, length);
}

// A text without added tokens.
static enum encoded encode_part(const uint8_t *text, uint32_t bytes)
{
	if (!bytes)
		return ENCODED;
#if ENCODER_PREFIX
	padded[0] = ' ';
	for (uint32_t i = 0; i < bytes; i++)
		padded[i + 1] = text[i];
	text = padded;
	bytes++;
#endif
	enum encoded result = ENCODED;
	while (bytes && result == ENCODED) {
		uint32_t size = split_size(text, bytes);
		result = encode_word(text, size);
		text += size;
		bytes -= size;
	}
	return result;
}

#if ENCODER_ADDED
static const struct encoder_text *added_at(const uint8_t *text, uint32_t bytes)
{
	for (const struct encoder_text *added = encoder_added; added < encoder_added + ENCODER_ADDED;
	     added++) {
		uint32_t i = 0;
		while (i < added->bytes && i < bytes && encoder_text_bytes[added->begin + i] == text[i])
			i++;
		if (i == added->bytes)
			return added;
	}
	return NULL;
}
#endif

enum encoded encode(const uint8_t *text, uint32_t bytes, uint16_t *tokens, uint32_t room,
		    uint32_t *count)
{
	uint32_t begin = 0;
	enum encoded result = ENCODED;
	out.tokens = tokens;
	out.room = room;
	out.count = *count;
#if ENCODER_ADDED
	for (uint32_t at = 0; at < bytes && result == ENCODED;) {
		const struct encoder_text *added = added_at(text + at, bytes - at);
		if (!added) {
			at++;
			continue;
		}
		result = encode_part(text + begin, at - begin);
		if (result == ENCODED)
			result = put(added->token);
		at += added->bytes;
		begin = at;
	}
#endif
	if (result == ENCODED)
		result = encode_part(text + begin, bytes - begin);
	*count = out.count;
	return result;
}

#endif
