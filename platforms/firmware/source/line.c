#include "line.h"

#include "uart.h"

#if !IMPORTED // of an imported model: imported_line.c

enum { CR = 0x0D, LF = 0x0A, BS = 0x08, DEL = 0x7F, CTRL_U = 0x15 };

struct line line;

static bool escaped[LINE_DEPTH]; // the token was written with a backslash
static bool pending;		 // a backslash, without what it escapes
static bool lost;		 // the line has a mark
static bool after_cr;
static uint32_t good;	  // characters before the error; 0 without one
static uint32_t sequence; // bytes of the character that are still to come
static uint32_t character;

void line_clear(void)
{
	line.length = good = sequence = 0;
	line.command = line.failed = pending = lost = false;
}

void line_forget_cr(void)
{
	after_cr = false;
}

static void fail(enum message refusal)
{
	line.failed = true;
	line.refusal = refusal;
	good = line.length;
	sequence = 0;
}

// The first error, at a character that counts.
static void fail_at_character(enum message refusal)
{
	fail(refusal);
	line.length++;
}

static enum line_event mark(void)
{
	lost = true;
	// what was typed before it can no longer be removed
	if (line.failed)
		good = line.length;
	else
		fail(MESSAGE_LOST);
	return LINE_NOTHING;
}

// Take back the last character.
static enum line_event rub_out(void)
{
	if (sequence) {
		sequence = 0;
	} else if (pending && !line.failed) {
		pending = false;
	} else if (line.length == good || line.length == LINE_LIMIT) {
		return LINE_NOTHING;
	} else {
		line.length--;
		if (!line.failed)
			pending = !line.command && escaped[line.length];
		else if (line.length == good && !lost)
			line.failed = false, good = 0;
		if (!line.length)
			line.command = false;
	}
	return LINE_RUBOUT;
}

static enum line_event enter(void)
{
	if (!line.failed && pending)
		fail(MESSAGE_ESCAPE);
	else if (!line.failed && sequence)
		fail(MESSAGE_NO_TOKEN);
	return LINE_ENTERED;
}

enum line_event line_look(int item)
{
	bool was_cr = after_cr;
	after_cr = item == CR;
	switch (item) {
	case MARK:
		return mark();
	case BS:
	case DEL:
		return rub_out();
	case CTRL_U:
		return LINE_ERASED;
	case LF:
		if (was_cr)
			return LINE_NOTHING;
		return enter();
	case CR:
		return enter();
	}
	return LINE_ECHO;
}

// The character is complete: its token becomes a part of the line.
static void add_token(void)
{
	uint32_t token = 0;
	while (token < VOCAB_SIZE && characters[token] != character)
		token++;
	if (token == VOCAB_SIZE) {
		fail_at_character(MESSAGE_NO_TOKEN);
	} else if (line.length == CTX_LEN) {
		fail_at_character(MESSAGE_TOO_LONG);
	} else {
		escaped[line.length] = pending;
		line.values[line.length++] = token;
		pending = false;
	}
}

static void add_to_command(uint8_t byte)
{
	if (byte < ' ' || byte > '~' || line.length == MAX_COMMAND)
		fail_at_character(MESSAGE_UNKNOWN_COMMAND);
	else
		line.values[line.length++] = byte;
}

static void add_to_character(uint8_t byte)
{
	character = character << 8 | byte;
	if ((byte & 0xC0) != 0x80)
		// with what it cuts off, it counts as one character
		fail_at_character(MESSAGE_NO_TOKEN);
	else if (!--sequence)
		add_token();
}

static void add_escaped(uint8_t byte)
{
	if (byte != 'n' && byte != '\\' && byte != '/') {
		fail_at_character(MESSAGE_ESCAPE);
		return;
	}
	character = byte == 'n' ? LF : byte;
	add_token();
}

static void begin_character(uint8_t byte)
{
	character = byte;
	if (byte < 0x80)
		add_token();
	else if (byte < 0xC0 || byte >= 0xF8)
		fail_at_character(MESSAGE_NO_TOKEN);
	else
		sequence = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
}

void line_add(uint8_t byte)
{
	if (line.failed) {
		if ((byte & 0xC0) != 0x80 && line.length < LINE_LIMIT)
			line.length++;
	} else if (line.command) {
		add_to_command(byte);
	} else if (sequence) {
		add_to_character(byte);
	} else if (pending) {
		add_escaped(byte);
	} else if (byte == '\\') {
		pending = true;
	} else if (byte == '/' && !line.length) {
		line.command = true;
		add_to_command(byte);
	} else {
		begin_character(byte);
	}
}

#endif
