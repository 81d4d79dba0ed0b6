// A model that was trained here: a character is one token.
#include "line_tokens.h"

#if !IMPORTED // of an imported model: imported_line.c

uint32_t character_tokens(const uint8_t *character, uint32_t size, uint16_t *tokens)
{
	uint32_t code = 0, token = 0;
	for (uint32_t i = 0; i < size; i++)
		code = code << 8 | character[i];
	while (token < VOCAB_SIZE && characters[token] != code)
		token++;
	*tokens = token;
	return token < VOCAB_SIZE;
}

#endif
