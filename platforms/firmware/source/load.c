#include "load.h"

#include "model.h"

#if RELOAD

#include "accelerator.h"
#include "crc.h"
#include "system.h"
#include "tables.h"
#include "uart.h"

#define SILENCE_MS 1000
#define WORD_BYTES 4u

static uint32_t tables[TABLE_WORDS]; // as they come; they count when the core has its part, too
static uint64_t silence, deadline;
static bool under_way;

// The line's next byte; -1 after a second without one.
static int next_byte(void)
{
	int byte;
	while ((byte = uart_take_raw()) < 0)
		if (now() >= deadline)
			return -1;
	deadline = now() + silence;
	return byte;
}

static bool next_word(uint32_t *word)
{
	*word = 0;
	for (uint32_t i = 0; i < WORD_BYTES; i++) {
		int byte = next_byte();
		if (byte < 0)
			return false;
		*word |= (uint32_t)byte << 8 * i;
	}
	return true;
}

// Its last word but one, the signature, is of memories that only the gateware has.
static enum refusal take_tables(void)
{
	uint32_t crc = UINT32_MAX;
	for (uint32_t i = 0; i < TABLE_WORDS; i++) {
		if (!next_word(&tables[i]))
			return REFUSAL_ABORTED;
		if (!i && tables[i] != IMAGE_SHAPE)
			return REFUSAL_SHAPE;
		if (i < TABLE_WORDS - 1)
			crc = crc_with(crc, tables[i], CRC_TAPS);
	}
	return ~crc == tables[TABLE_WORDS - 1] ? REFUSAL_NONE : REFUSAL_CHECKSUM;
}

static struct load take_core(void)
{
	struct load load = {REFUSAL_NONE, false};
	for (uint32_t i = 0; i < CORE_WORDS; i++) {
		uint32_t word;
		if (!next_word(&word)) {
			load.refusal = REFUSAL_ABORTED;
			return load;
		}
		if (!accelerator_load(word))
			break;
	}
	uint64_t end = now() + ticks_of_milliseconds(PATIENCE_MS);
	while (accelerator_loading() && !load.silent)
		load.silent = now() >= end;
	load.refusal = accelerator_refusal();
	if (load.refusal >= IMAGE_REFUSALS || (load.refusal == REFUSAL_NONE && !accelerator_has_model()))
		load.silent = true;
	return load;
}

struct load load_image(void)
{
	struct load load;
	under_way = true;
	uart_discard();
	silence = ticks_of_milliseconds(SILENCE_MS); // once: a division is long
	deadline = now() + silence;
	load.silent = false;
	load.refusal = take_tables();
	if (load.refusal == REFUSAL_NONE)
		load = take_core();
	if (load.refusal != REFUSAL_NONE || load.silent) {
		accelerator_abort();
		load_drop();
	} else {
		tables_load(tables + 1);
		uart_forget_damage();
	}
	under_way = false;
	return load;
}

bool load_broken_off(void)
{
	return under_way;
}

void load_drop(void)
{
	while (next_byte() >= 0)
		;
	uart_discard();
	under_way = false;
}

#endif
