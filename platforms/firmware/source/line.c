// The editor of the line: what each byte that arrives does to it. What tokens a character is, is
// the model's (line_tokens.h).
#include "line_tokens.h"

#include "uart.h"

enum { CR = 0x0D, LF = 0x0A, BS = 0x08, DEL = 0x7F, CTRL_U = 0x15 };

struct line line;
struct line_entry line_entries[LINE_DEPTH];
uint8_t line_typed[LINE_DEPTH];

static bool pending;		 // a backslash, without what it escapes
static uint32_t digits, number; // after it
static bool lost;		 // the line has a mark
static bool after_cr;
static uint32_t good;	  // characters before the error; 0 without one
static uint32_t sequence; // bytes of the character that are still to come
static uint8_t character[MOST_CHARACTER_BYTES];
static uint32_t size; // bytes of it so far

void line_clear(void)
{
	line.length = good = sequence = digits = 0;
	line.command = line.failed = pending = lost = false;
}

void line_forget_cr(void)
{
	after_cr = false;
}

void line_fail(enum message refusal)
{
	line.failed = true;
	line.refusal = refusal;
	good = line.length;
	sequence = 0;
}

// The first error, at a character that counts.
static void fail_at_character(enum message refusal)
{
	line_fail(refusal);
	line.length++;
}

static enum line_event mark(void)
{
	lost = true;
	// what was typed before it can no longer be removed
	if (line.failed)
		good = line.length;
	else
		line_fail(MESSAGE_LOST);
	return LINE_NOTHING;
}

// Take back the last value, with those of the same character.
static void remove_last(void)
{
	while (line_entries[line.length - 1].joined)
		line.length--;
	line.length--;
	line.rubbed += line_entries[line.length].further;
	pending = line_entries[line.length].escaped;
}

static enum line_event rub_out(void)
{
	line.rubbed = 1;
	if (sequence) {
		sequence = 0;
	} else if (pending && !line.failed) {
		line.rubbed += digits;
		digits = 0;
		pending = false;
	} else if (line.length == good || line.length == LINE_LIMIT) {
		return LINE_NOTHING;
	} else if (line.failed) {
		line.length--;
		if (line.length == good && !lost)
			line.failed = false, good = 0;
	} else if (line.command) {
		line.length--;
	} else {
		remove_last();
	}
	if (!line.length)
		line.command = false;
	return LINE_RUBOUT;
}

static enum line_event enter(void)
{
	if (!line.failed && pending)
		line_fail(MESSAGE_ESCAPE);
	else if (!line.failed && sequence)
		line_fail(MESSAGE_NO_TOKEN);
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

static void append(uint32_t token, uint8_t byte, bool joined, uint8_t further)
{
	line_entries[line.length].escaped = pending && !further;
	line_entries[line.length].joined = joined;
	line_entries[line.length].further = further;
	line_typed[line.length] = byte;
	line.values[line.length++] = token;
}

// The character is complete: its tokens become a part of the line.
static void add_tokens(void)
{
	uint16_t tokens[MOST_CHARACTER_BYTES];
	uint32_t count = character_tokens(character, size, tokens);
	if (!count) {
		fail_at_character(MESSAGE_NO_TOKEN);
	} else if (line.length + count > ROOM) {
		fail_at_character(MESSAGE_TOO_LONG);
	} else {
		for (uint32_t i = 0; i < count; i++)
			append(tokens[i], character[i], i > 0, 0);
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
	character[size++] = byte;
	if ((byte & 0xC0) != 0x80)
		// with what it cuts off, it counts as one character
		fail_at_character(MESSAGE_NO_TOKEN);
	else if (!--sequence)
		add_tokens();
}

static void add_to_number(uint8_t byte)
{
	uint32_t longer = number * 10 + byte - '0';
	if (byte == ';' && line.length >= ROOM) {
		fail_at_character(MESSAGE_TOO_LONG);
	} else if (byte == ';') {
		append(number, 0, false, digits + 1);
		digits = 0;
		pending = false;
	} else if (byte < '0' || byte > '9' || digits == MOST_DIGITS || longer >= VOCAB_SIZE) {
		fail_at_character(MESSAGE_ESCAPE);
	} else {
		number = longer;
		digits++;
	}
}

static void add_escaped(uint8_t byte)
{
	// a token by its number
	if (IMPORTED && byte >= '0' && byte <= '9' && (uint32_t)(byte - '0') < VOCAB_SIZE) {
		number = byte - '0';
		digits = 1;
	} else if (byte != 'n' && byte != '\\' && byte != '/') {
		fail_at_character(MESSAGE_ESCAPE);
	} else {
		character[0] = byte == 'n' ? LF : byte;
		size = 1;
		add_tokens();
	}
}

static void begin_character(uint8_t byte)
{
	character[0] = byte;
	size = 1;
	if (byte < 0x80)
		add_tokens();
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
	} else if (pending && digits) {
		add_to_number(byte);
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
