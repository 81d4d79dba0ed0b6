#include "generation.h"

#include "model.h"
#include "registers.h"
#include "system.h"
#include "uart.h"

// Tokens are taken as they come, so that the core waits for nobody, and sent from here.
static uint16_t tokens[CTX_LEN + 1];
static uint64_t patience, deadline;
static uint64_t silence, next_sign; // of life: between two, and when one is due
static uint32_t seen; // STATUS, when there was progress last

static void renew(void)
{
	deadline = now() + patience;
}

// Before a run: both divisions are long.
static void begin_waiting(void)
{
	patience = ticks_of_milliseconds(PATIENCE_MS);
	silence = ticks_of_milliseconds(SIGN_OF_LIFE_MS);
	next_sign = now() + silence;
}

// A long prompt takes minutes, in which the peer must not take the line for broken.
static void show_life(void)
{
	if (now() < next_sign || !uart_has_room())
		return;
	uart_send(SIGN_OF_LIFE);
	next_sign = now() + silence;
}

// Send what there is room for of a token's text, from byte *sent on; whether that was all.
static bool send_text(uint32_t token, uint32_t *sent)
{
#if IMPORTED
	const uint8_t *text = token_bytes + token_begins[token];
	uint32_t length = token_begins[token + 1] - token_begins[token];
#else
	const uint8_t *text = token_texts[token] + 1;
	uint32_t length = token_texts[token][0];
#endif
	while (*sent < length) {
		if (!uart_has_room())
			return false;
		uart_send(text[(*sent)++]);
	}
	*sent = 0;
	return true;
}

static bool ends_text(uint32_t token)
{
#if IMPORTED
	for (uint32_t i = 0; i < STOPS; i++)
		if (stop_tokens[i] == token)
			return true;
#endif
	(void)token;
	return false;
}

// Whether the memory of the model has answered with an error: then the core has stopped.
static bool faulted(struct generation *generation)
{
#if STREAMED
	generation->fault = accelerator_fault();
	return generation->fault;
#else
	(void)generation;
	return false;
#endif
}

// What the core is at, while it has no token: SILENT, REFUSED, FAULTED, or else go on.
static enum result look(struct generation *generation)
{
	uint32_t status = accelerator_status();
	if (status & GATEFORMER_STATUS_ERROR_MASK) {
		generation->errors = accelerator_errors();
		return REFUSED;
	}
	if (faulted(generation))
		return FAULTED;
	if (status != seen) {
		seen = status;
		renew();
	}
	return now() < deadline ? ENDED_BY_COUNT : SILENT;
}

// Whether a run may have this token after so many others: then there are no more than the context
// holds, and one behind it.
static bool believable(uint32_t output, uint32_t taken)
{
	return (output & GATEFORMER_OUTPUT_TOKEN_MASK) < VOCAB_SIZE && taken <= CTX_LEN;
}

// The last token has come: wait until the core is done.
static enum result finish(struct generation *generation)
{
	uint32_t status;
	renew();
	while (!((status = accelerator_status()) & GATEFORMER_STATUS_DONE_MASK)) {
		if (faulted(generation))
			return FAULTED;
		if (now() >= deadline)
			return SILENT;
	}
	generation->cycles = accelerator_cycles();
	return status & GATEFORMER_STATUS_CONTEXT_FULL_MASK ? ENDED_BY_CONTEXT : ENDED_BY_COUNT;
}

static enum result broken_off(enum result result, struct generation *generation)
{
	accelerator_abort();
	generation->cycles = accelerator_cycles();
	return result;
}

enum result generate(const uint16_t *prompt, uint32_t length, const struct settings *settings,
		     bool silent, struct generation *generation)
{
	uint32_t taken = 0, byte = 0;
	enum result ending = STOPPED;
	bool last = false;
	*generation = (struct generation){.tokens = 0};
	begin_waiting();
	uint64_t started = now();
	if (!accelerator_start(prompt, length, settings)) {
		generation->errors = accelerator_errors();
		return broken_off(REFUSED, generation);
	}
	seen = 0;
	renew();
	while (!last || generation->tokens < taken) {
		uint32_t output = last ? 0 : accelerator_output();
		if (output & GATEFORMER_OUTPUT_VALID_MASK) {
			uint32_t token = output & GATEFORMER_OUTPUT_TOKEN_MASK;
			if (!believable(output, taken))
				return broken_off(SILENT, generation);
			tokens[taken++] = token;
			renew();
			last = output & GATEFORMER_OUTPUT_LAST_MASK;
			if (last) {
				generation->ticks = now() - started;
				ending = finish(generation);
				if (ending >= SILENT)
					return broken_off(ending, generation);
			}
			if (!silent && ends_text(token)) {
				if (!last)
					broken_off(ENDED_BY_STOP, generation);
				ending = ENDED_BY_STOP;
				last = true;
			}
		} else if (!last) {
			enum result state = look(generation);
			if (state != ENDED_BY_COUNT)
				return broken_off(state, generation);
			show_life();
		}
		uart_poll();
		if (uart_interrupted && !byte)
			return broken_off(STOPPED, generation);
		if (silent) {
			generation->tokens = taken;
		} else if (generation->tokens < taken &&
			   send_text(tokens[generation->tokens], &byte)) {
			generation->tokens++;
			next_sign = now() + silence;
		}
	}
	return ending;
}

#if STREAMS > 1
// The last tokens have come: wait until all streams are done.
static enum result finish_together(struct generation *generation)
{
	enum result ending = ENDED_BY_COUNT;
	uint64_t cycles = 0;
	for (uint32_t stream = STREAMS; stream--;) {
		accelerator_choose(stream);
		ending = finish(generation);
		if (ending >= SILENT)
			return ending;
		if (generation->cycles > cycles)
			cycles = generation->cycles;
	}
	generation->cycles = cycles;
	return ending;
}

enum result generate_together(const uint16_t *prompt, uint32_t length,
			      const struct settings *settings, struct generation *generation)
{
	uint32_t left = STREAMS, seen_of[STREAMS] = {0}, taken[STREAMS] = {0};
	bool ended[STREAMS] = {false};
	*generation = (struct generation){.tokens = 0};
	begin_waiting();
	uint64_t started = now();
	if (!accelerator_start_all(prompt, length, settings)) {
		generation->errors = accelerator_errors();
		return broken_off(REFUSED, generation);
	}
	renew();
	for (uint32_t stream = 0; left; stream = stream + 1 < STREAMS ? stream + 1 : 0) {
		if (ended[stream])
			continue;
		accelerator_choose(stream);
		uint32_t output = accelerator_output();
		if (output & GATEFORMER_OUTPUT_VALID_MASK) {
			if (!believable(output, taken[stream]++))
				return broken_off(SILENT, generation);
			generation->tokens++;
			renew();
			if (output & GATEFORMER_OUTPUT_LAST_MASK) {
				ended[stream] = true;
				left--;
			}
		} else {
			seen = seen_of[stream];
			enum result state = look(generation);
			seen_of[stream] = seen;
			if (state != ENDED_BY_COUNT)
				return broken_off(state, generation);
			show_life();
		}
		uart_poll();
		if (uart_interrupted)
			return broken_off(STOPPED, generation);
	}
	generation->ticks = now() - started;
	enum result ending = finish_together(generation);
	return ending >= SILENT ? broken_off(ending, generation) : ending;
}
#endif
