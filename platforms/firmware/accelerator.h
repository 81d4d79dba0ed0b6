// The accelerator behind its registers (docs/registers.md).
#ifndef ACCELERATOR_H
#define ACCELERATOR_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	uint32_t mult, shift, top_k, seed, count;
};

// A register that is not what this firmware was made for; all are as they should be if name is
// NULL. digits of the values are shown.
struct complaint {
	const char *name;
	uint32_t digits, read[2], expected[2];
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
