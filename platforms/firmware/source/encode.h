// Texts to tokens as the model's own tokenizer cuts them; platforms/firmware/encoder.py.
#ifndef ENCODE_H
#define ENCODE_H

#include <stdint.h>

enum encoded { ENCODED, ENCODED_NO_TOKEN, ENCODED_TOO_LONG };

// Append the tokens of a text of at most LINE_DEPTH bytes, if there is room for so many.
enum encoded encode(const uint8_t *text, uint32_t bytes, uint16_t *tokens, uint32_t room,
		    uint32_t *count);

#endif
