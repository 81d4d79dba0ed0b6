#include "tables.h"

#if !RELOAD

void tables_choose(void)
{
}

#else

#include <stdbool.h>
#include <stddef.h>

#include "accelerator.h"
#include "registers.h"

#define ENTRY_WORDS 2u // of the image, for a token or a temperature

const uint32_t *digest = built_in_digest, *characters = built_in_characters;
const uint8_t (*token_texts)[TEXT_BYTES + 1] = built_in_token_texts;
const struct multiplier *multipliers = built_in_multipliers;
const char *label = built_in_label;

static bool present; // something was loaded
static uint32_t loaded_digest[DIGEST_WORDS], loaded_characters[VOCAB_SIZE];
static uint8_t loaded_token_texts[VOCAB_SIZE][TEXT_BYTES + 1];
static struct multiplier loaded_multipliers[TEMPERATURES];
static char loaded_label[LABEL_BYTES + 1];

static void load_text(uint32_t token, const uint32_t *words)
{
	uint32_t bytes = TOKEN_BYTES(words), first = TOKEN_FIRST(words);
	uint8_t *text = loaded_token_texts[token];
	text[0] = TOKEN_EMPTY(words) ? 0 : TOKEN_CONTROL(words) ? 1 : first + 1;
	for (uint32_t i = 0; i < text[0]; i++)
		text[1 + i] = bytes >> 8 * (first - i);
	if (TOKEN_CONTROL(words)) // what is shown instead is not what is typed
		bytes &= ~(UINT32_MAX << 8 * first);
	loaded_characters[token] = bytes == NEWLINE ? '\n' : bytes;
}

static uint32_t digest_word(uint32_t i)
{
	return accelerator_register(GATEFORMER_ARTIFACT_HASH_0 + 4 * i);
}

void tables_load(const uint32_t *words)
{
	for (uint32_t i = 0; i < DIGEST_WORDS; i++)
		loaded_digest[i] = digest_word(i);
	for (uint32_t i = 0; i < VOCAB_SIZE; i++)
		load_text(i, words + ENTRY_WORDS * i);
	words += ENTRY_WORDS * TEXT_ENTRIES;
	for (uint32_t i = 0; i < TEMPERATURES; i++, words += ENTRY_WORDS) {
		loaded_multipliers[i].mult = TEMPERATURE_MULT(words);
		loaded_multipliers[i].shift = TEMPERATURE_SHIFT(words);
	}
	for (uint32_t i = 0; i < LABEL_BYTES; i++)
		loaded_label[i] = words[i];
	present = true;
}

// C has no such conversion by itself.
static const uint8_t (*constant(uint8_t (*texts)[TEXT_BYTES + 1]))[TEXT_BYTES + 1]
{
	return (const uint8_t(*)[TEXT_BYTES + 1]) texts;
}

void tables_choose(void)
{
	bool same = present;
	for (uint32_t i = 0; same && i < DIGEST_WORDS; i++)
		same = digest_word(i) == loaded_digest[i];
	digest = same ? loaded_digest : built_in_digest;
	characters = same ? loaded_characters : built_in_characters;
	token_texts = same ? constant(loaded_token_texts) : built_in_token_texts;
	multipliers = same ? loaded_multipliers : built_in_multipliers;
	label = same ? loaded_label : built_in_label;
}

#endif
