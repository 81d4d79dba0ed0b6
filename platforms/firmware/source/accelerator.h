// The accelerator behind its registers (docs/registers.md).
#ifndef ACCELERATOR_H
#define ACCELERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

struct settings {
	uint32_t mult, shift, top_k, top_p, seed, count; // top_p: of an imported model
};

#define DIGEST_WORDS 8
#define PATIENCE_MS 2000 // without any progress, after which the core is given up

// A register, or several in a row, that are not what this firmware was made for; name is NULL if
// all are as they should be. Of an image also without words, and with what to do.
struct complaint {
	const char *name;
	uint32_t words;
	uint32_t read[DIGEST_WORDS], expected[DIGEST_WORDS];
#if STREAMED
	const char *advice;
#endif
};

// Whether there is a fabric to talk to; what is in it is restarted when it was not there before.
bool accelerator_reachable(void);

// Read the identification registers; of any_model, not the digest.
struct complaint accelerator_identify(bool any_model);

// Stop whatever runs, and start with the prompt. False: not done, see accelerator_errors().
bool accelerator_start(const uint16_t *prompt, uint32_t length, const struct settings *settings);

// Stop all streams, and choose the first one.
void accelerator_abort(void);

uint32_t accelerator_output(void);
uint32_t accelerator_status(void);
uint32_t accelerator_errors(void);

// Cycles of the run's programs: what docs/console.md calls cycles.
uint64_t accelerator_cycles(void);

// Whether the memories hold one complete model.
bool accelerator_has_model(void);

// The next five are of accelerators whose model can be replaced (docs/reload.md).

// Read what an image depends on, the model aside.
struct complaint accelerator_takes_image(void);

// Stop whatever runs; an image follows. False: not done, see accelerator_errors().
bool accelerator_load_begin(void);

// The image's next word. False: no more are wanted.
bool accelerator_load(uint32_t word);

// Whether the image is neither complete and checked, nor refused.
bool accelerator_loading(void);

// Why the last image was refused: enum refusal.
uint32_t accelerator_refusal(void);

// The next three are of accelerators with their model in external memory.

// Begin to read the image at this address against its checksum; IMAGE_STATUS tells what came of it.
void accelerator_verify(uint32_t address);

// The error with which the memory has answered since the last abort; NULL: none.
const char *accelerator_fault(void);

// Thousandths of the last run's cycles in which the core waited for the memory.
uint32_t accelerator_stalled(void);

// The next two are of accelerators with several streams.

// Whose registers those of a run are from now on: what starts one, its tokens, status and cycles.
void accelerator_choose(uint32_t stream);

// As accelerator_start(), all streams with the same; one that is not started is chosen then.
bool accelerator_start_all(const uint16_t *prompt, uint32_t length,
			   const struct settings *settings);

// What identifies it, as read now.
uint32_t accelerator_register(uint32_t offset);

#endif
