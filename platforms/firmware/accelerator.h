// The accelerator behind its registers (docs/registers.md).
#ifndef ACCELERATOR_H
#define ACCELERATOR_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	uint32_t mult, shift, top_k, seed, count;
};

#define DIGEST_WORDS 8

// A register, or several in a row, that are not what this firmware was made for; name is NULL if
// all are as they should be.
struct complaint {
	const char *name;
	uint32_t words;
	uint32_t read[DIGEST_WORDS], expected[DIGEST_WORDS];
};

// Whether there is a fabric to talk to; what is in it is restarted when it was not there before.
bool accelerator_reachable(void);

// Read the identification registers.
struct complaint accelerator_identify(void);

// Stop whatever runs, and start with the prompt. False: not done, see accelerator_errors().
bool accelerator_start(const uint16_t *prompt, uint32_t length, const struct settings *settings);

// Stop.
void accelerator_abort(void);

uint32_t accelerator_output(void);
uint32_t accelerator_status(void);
uint32_t accelerator_errors(void);

// Cycles of the run's programs: what docs/console.md calls cycles, modulo 2**32.
uint32_t accelerator_cycles(void);

// What identifies it, as read now.
uint32_t accelerator_register(uint32_t offset);

#endif
