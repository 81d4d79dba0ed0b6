// The line that is being typed: characters to tokens; docs/console.md has the rules.
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

// What the console has to say next.
enum line_event { LINE_NOTHING, LINE_ECHO, LINE_RUBOUT, LINE_ERASED, LINE_ENTERED };

extern struct line {
	uint16_t values[LINE_DEPTH]; // tokens or, of a command, bytes
	uint32_t length;
	bool command, failed;
	enum message refusal; // for the first error, if failed
	uint32_t rubbed; // LINE_RUBOUT: how many bytes to rub out
} line;

#if IMPORTED
// The prompt that the line is, with what comes before every prompt, and its length; a line that is
// none fails.
uint32_t line_prompt(uint16_t *prompt);
#endif

// What an item of the queue asks for. LINE_ECHO: send the byte, then call line_add() with it.
enum line_event line_look(int item);
void line_add(uint8_t byte);

void line_clear(void);

// An LF that comes next is an Enter whatever came before.
void line_forget_cr(void);

#endif
