// An imported model: a character is one token per byte or, in a vocabulary of characters, one.
// Where the model's own encoder is known, it cuts the line anew when it is complete.
#include "line_tokens.h"

#include "encode.h"

#if IMPORTED

#if CHARACTERS
static uint32_t whole_token(const uint8_t *character, uint32_t size)
{
	uint32_t code = 0;
	for (uint32_t i = 0; i < size; i++)
		code = code << 8 | character[i];
	for (uint32_t i = 0; i < CHARACTERS; i++)
		if (characters[i][0] == code)
			return characters[i][1];
	return NO_TOKEN;
}
#endif

uint32_t character_tokens(const uint8_t *character, uint32_t size, uint16_t *tokens)
{
#if CHARACTERS
	if (size > 1) {
		uint32_t token = whole_token(character, size);
		*tokens = token;
		return token != NO_TOKEN;
	}
#endif
	for (uint32_t i = 0; i < size; i++) {
		uint32_t token = byte_tokens[character[i]];
		if (token == NO_TOKEN)
			return 0;
		tokens[i] = token;
	}
	return size;
}

// Append the line's tokens to those before every prompt; their number, or 0 if there is no room.
#if ENCODER
static uint32_t append_line(uint16_t *prompt, uint32_t count)
{
	for (uint32_t at = 0; at < line.length && !line.failed;) {
		uint32_t end = at;
		while (end < line.length && !line_entries[end].further)
			end++;
		enum encoded result = encode(line_typed + at, end - at, prompt, CTX_LEN, &count);
		if (result == ENCODED && end < line.length) {
			if (count == CTX_LEN)
				result = ENCODED_TOO_LONG;
			else
				prompt[count++] = line.values[end];
		}
		if (result != ENCODED)
			line_fail(result == ENCODED_NO_TOKEN ? MESSAGE_NO_TOKEN : MESSAGE_TOO_LONG);
		at = end + 1;
	}
	return count;
}
#else
static uint32_t append_line(uint16_t *prompt, uint32_t count)
{
	for (uint32_t i = 0; i < line.length; i++)
		prompt[count++] = line.values[i];
	return count;
}
#endif

uint32_t line_prompt(uint16_t *prompt)
{
	for (uint32_t i = 0; i < OPENING; i++)
		prompt[i] = opening[i];
	uint32_t count = append_line(prompt, OPENING);
	// one that the line has itself is not given again
	if (OPENING && !line.failed && prompt[OPENING] == BEGIN_TOKEN) {
		count--;
		for (uint32_t i = OPENING; i < count; i++)
			prompt[i] = prompt[i + 1];
	}
	return count;
}

#endif
