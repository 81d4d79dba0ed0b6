// What the editor of the line (line.c) has of a model's tokens (line_tokens.c, imported_line.c), and
// what these have of it.
#ifndef LINE_TOKENS_H
#define LINE_TOKENS_H

#include "line.h"

enum { MOST_CHARACTER_BYTES = 4 };

// How each value of the line was typed.
extern struct line_entry {
	bool escaped, joined; // with a backslash; a character's, but not its first
	uint8_t further;      // of a number: bytes after its backslash
} line_entries[LINE_DEPTH];

extern uint8_t line_typed[LINE_DEPTH]; // the byte of each value that is not a number

// The tokens of a complete character of size bytes; how many, one for each byte at most, or 0 if
// one has none.
uint32_t character_tokens(const uint8_t *character, uint32_t size, uint16_t *tokens);

// The line's first error.
void line_fail(enum message refusal);

#endif
