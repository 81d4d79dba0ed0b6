#include "accelerator.h"

#include <stddef.h>

#include "memory_mapped.h"
#include "model.h"
#include "registers.h"
#include "system.h"

#if STREAMS > 1
static uint32_t base = ACCELERATOR_BASE; // of the chosen stream's registers
#else
#define base ACCELERATOR_BASE
#endif

static bool released;

uint32_t accelerator_register(uint32_t offset)
{
	return load(base + offset);
}

// A count of 64 bits: reading its lower half keeps the upper one.
static uint64_t count(uint32_t low, uint32_t high)
{
	uint32_t word = accelerator_register(low);
	return (uint64_t)accelerator_register(high) << 32 | word;
}

static void set(uint32_t offset, uint32_t value)
{
	store(base + offset, value);
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

// Compare registers in a row; whether they are as expected.
static bool check(struct complaint *found, const char *name, uint32_t offset,
		  const uint32_t *expected, uint32_t words)
{
	bool equal = true;
#if STREAMED
	found->advice = NULL;
#endif
	for (uint32_t i = 0; i < words; i++) {
		found->read[i] = accelerator_register(offset + 4 * i);
		found->expected[i] = expected[i];
		equal = equal && found->read[i] == expected[i];
	}
	found->words = words;
	found->name = equal ? NULL : name;
	return equal;
}

struct complaint accelerator_identify(bool any_model)
{
	static const uint32_t magic = EXPECTED_MAGIC, version = EXPECTED_SPEC_VERSION;
	static const uint32_t vocab_size = VOCAB_SIZE, ctx_len = CTX_LEN;
#if STREAMS > 1
	static const uint32_t streams = STREAMS;
#endif
	struct complaint found;
	// in this order: if one is wrong, those after it say nothing
	if (check(&found, "MAGIC", GATEFORMER_MAGIC, &magic, 1) &&
	    check(&found, "SPEC_VERSION", GATEFORMER_SPEC_VERSION, &version, 1) &&
	    (any_model ||
	     check(&found, "ARTIFACT_HASH", GATEFORMER_ARTIFACT_HASH_0, digest, DIGEST_WORDS)) &&
#if STREAMS > 1
	    check(&found, "STREAMS", GATEFORMER_STREAMS, &streams, 1) &&
#endif
	    check(&found, "VOCAB_SIZE", GATEFORMER_VOCAB_SIZE, &vocab_size, 1))
		check(&found, "CTX_LEN", GATEFORMER_CTX_LEN, &ctx_len, 1);
	return found;
}

// Start a stream that is idle.
static bool begin(const uint16_t *prompt, uint32_t length, const struct settings *settings)
{
	set(GATEFORMER_TEMPERATURE, settings->mult << GATEFORMER_TEMPERATURE_MULT_SHIFT |
					    settings->shift << GATEFORMER_TEMPERATURE_SHIFT_SHIFT);
	set(GATEFORMER_TOP_K, settings->top_k);
#if IMPORTED
	set(GATEFORMER_TOP_P, settings->top_p);
#endif
	set(GATEFORMER_SEED, settings->seed);
	set(GATEFORMER_GENERATE_COUNT, settings->count);
	for (uint32_t i = 0; i < length; i++)
		set(GATEFORMER_PROMPT, prompt[i]);
	set(GATEFORMER_CONTROL, GATEFORMER_CONTROL_START_MASK);
	return !accelerator_errors();
}

bool accelerator_start(const uint16_t *prompt, uint32_t length, const struct settings *settings)
{
	accelerator_abort();
	return begin(prompt, length, settings);
}

static void abort_chosen(void)
{
	set(GATEFORMER_CONTROL,
	    GATEFORMER_CONTROL_ABORT_MASK | GATEFORMER_CONTROL_CLEAR_ERRORS_MASK);
}

#if STREAMS > 1
void accelerator_choose(uint32_t stream)
{
	base = ACCELERATOR_BASE + stream * STREAM_BYTES;
}

bool accelerator_start_all(const uint16_t *prompt, uint32_t length,
			   const struct settings *settings)
{
	accelerator_abort();
	for (uint32_t stream = 0; stream < STREAMS; stream++) {
		accelerator_choose(stream);
		if (!begin(prompt, length, settings))
			return false;
	}
	return true;
}

void accelerator_abort(void)
{
	for (uint32_t stream = STREAMS; stream--;) {
		accelerator_choose(stream);
		abort_chosen();
	}
}
#else
void accelerator_abort(void)
{
	abort_chosen();
}
#endif

bool accelerator_has_model(void)
{
#if RELOAD
	return accelerator_register(GATEFORMER_LOAD_STATUS) & GATEFORMER_LOAD_STATUS_LOADED_MASK;
#else
	return true;
#endif
}

#if RELOAD
struct complaint accelerator_takes_image(void)
{
	static const struct {
		const char *name;
		uint32_t offset, value;
	} registers[] = IMAGE_REGISTERS;
	struct complaint found = accelerator_identify(true);
	for (uint32_t i = 0; !found.name && i < sizeof registers / sizeof registers[0]; i++)
		check(&found, registers[i].name, registers[i].offset, &registers[i].value, 1);
	return found;
}

bool accelerator_load_begin(void)
{
	accelerator_abort();
	set(GATEFORMER_LOAD_CONTROL, GATEFORMER_LOAD_CONTROL_BEGIN_MASK);
	return accelerator_loading();
}

bool accelerator_load(uint32_t word)
{
	set(GATEFORMER_LOAD_DATA, word);
	return accelerator_loading();
}

bool accelerator_loading(void)
{
	return accelerator_register(GATEFORMER_LOAD_STATUS) & GATEFORMER_LOAD_STATUS_LOADING_MASK;
}

uint32_t accelerator_refusal(void)
{
	return (accelerator_register(GATEFORMER_LOAD_STATUS) &
		GATEFORMER_LOAD_STATUS_REFUSAL_MASK) >>
	       GATEFORMER_LOAD_STATUS_REFUSAL_SHIFT;
}
#endif

#if STREAMED
void accelerator_verify(uint32_t address)
{
	set(GATEFORMER_IMAGE_ADDRESS, address);
	set(GATEFORMER_CONTROL, GATEFORMER_CONTROL_VERIFY_MASK);
}

const char *accelerator_fault(void)
{
	uint32_t status = load(ACCELERATOR_BASE + GATEFORMER_IMAGE_STATUS);
	switch ((status & GATEFORMER_IMAGE_STATUS_FAULT_MASK) >> GATEFORMER_IMAGE_STATUS_FAULT_SHIFT) {
	case RESPONSE_SLVERR:
		return "the memory answered SLVERR: it refused an access";
	case RESPONSE_DECERR:
		return "the memory answered DECERR: there is none at an address";
	default:
		return NULL;
	}
}

uint32_t accelerator_stalled(void)
{
	uint64_t stalls = count(GATEFORMER_STALLS_LOW, GATEFORMER_STALLS_HIGH);
	uint64_t cycles = count(GATEFORMER_CYCLES_LOW, GATEFORMER_CYCLES_HIGH);
	while (cycles >> 32)
		cycles >>= 1, stalls >>= 1;
	return cycles ? divide(stalls * 1000, cycles, NULL) : 0;
}
#endif

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

uint64_t accelerator_cycles(void)
{
	uint64_t cycles = count(GATEFORMER_CYCLES_LOW, GATEFORMER_CYCLES_HIGH);
	// of an aborted run that had not begun with its program
	return cycles < START_CYCLES ? 0 : cycles - START_CYCLES;
}
