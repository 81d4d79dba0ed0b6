#include "accelerator.h"

#include <stddef.h>

#include "memory_mapped.h"
#include "model.h"
#include "registers.h"
#include "system.h"

static bool released;

uint32_t accelerator_register(uint32_t offset)
{
	return load(ACCELERATOR_BASE + offset);
}

static void set(uint32_t offset, uint32_t value)
{
	store(ACCELERATOR_BASE + offset, value);
}

bool accelerator_reachable(void)
{
	if (!fabric_is_configured()) {
		released = false;
		return false;
	}
	if (!released)
		fabric_release();
	released = true;
	return true;
}

struct complaint accelerator_identify(void)
{
	static const struct {
		const char *name;
		uint32_t offset, expected;
	} wanted[] = {
		{"MAGIC", GATEFORMER_MAGIC, EXPECTED_MAGIC},
		{"SPEC_VERSION", GATEFORMER_SPEC_VERSION, EXPECTED_SPEC_VERSION},
		{"VOCAB_SIZE", GATEFORMER_VOCAB_SIZE, VOCAB_SIZE},
		{"CTX_LEN", GATEFORMER_CTX_LEN, CTX_LEN},
	};
	struct complaint found = {NULL, 8, {0, 0}, {0, 0}};
	// MAGIC first: if that is wrong, nothing else says anything
	for (uint32_t i = 0; i < 2; i++) {
		found.read[0] = accelerator_register(wanted[i].offset);
		found.expected[0] = wanted[i].expected;
		if (found.read[0] != found.expected[0]) {
			found.name = wanted[i].name;
			return found;
		}
	}
	static const uint32_t digest[] = EXPECTED_DIGEST;
	for (uint32_t i = 0; i < sizeof digest / sizeof *digest; i++) {
		if (accelerator_register(GATEFORMER_ARTIFACT_HASH_0 + 4 * i) == digest[i])
			continue;
		found.name = "ARTIFACT_HASH";
		found.digits = 16;
		for (uint32_t j = 0; j < 2; j++) {
			found.read[j] = accelerator_register(GATEFORMER_ARTIFACT_HASH_0 + 4 * j);
			found.expected[j] = digest[j];
		}
		return found;
	}
	for (uint32_t i = 2; i < sizeof wanted / sizeof *wanted; i++) {
		found.read[0] = accelerator_register(wanted[i].offset);
		found.expected[0] = wanted[i].expected;
		if (found.read[0] != found.expected[0]) {
			found.name = wanted[i].name;
			return found;
		}
	}
	return found;
}

bool accelerator_start(const uint16_t *prompt, uint32_t length, const struct settings *settings)
{
	accelerator_abort();
	set(GATEFORMER_TEMPERATURE, settings->mult << GATEFORMER_TEMPERATURE_MULT_SHIFT |
					    settings->shift << GATEFORMER_TEMPERATURE_SHIFT_SHIFT);
	set(GATEFORMER_TOP_K, settings->top_k);
	set(GATEFORMER_SEED, settings->seed);
	set(GATEFORMER_GENERATE_COUNT, settings->count);
	for (uint32_t i = 0; i < length; i++)
		set(GATEFORMER_PROMPT, prompt[i]);
	set(GATEFORMER_CONTROL, GATEFORMER_CONTROL_START_MASK);
	return !accelerator_errors();
}

void accelerator_abort(void)
{
	set(GATEFORMER_CONTROL,
	    GATEFORMER_CONTROL_ABORT_MASK | GATEFORMER_CONTROL_CLEAR_ERRORS_MASK);
}

uint32_t accelerator_output(void)
{
	return accelerator_register(GATEFORMER_OUTPUT);
}

uint32_t accelerator_status(void)
{
	return accelerator_register(GATEFORMER_STATUS);
}

uint32_t accelerator_errors(void)
{
	return accelerator_register(GATEFORMER_ERROR);
}

uint32_t accelerator_cycles(void)
{
	uint32_t cycles = accelerator_register(GATEFORMER_CYCLES_LOW);
	// of an aborted run that had not begun with its program
	return cycles < START_CYCLES ? 0 : cycles - START_CYCLES;
}
