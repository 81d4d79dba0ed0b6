// One generation: prompt to the accelerator, tokens to text, counts.
#ifndef GENERATION_H
#define GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "accelerator.h"

enum result { ENDED_BY_COUNT, ENDED_BY_CONTEXT, STOPPED, ENDED_BY_STOP, SILENT, REFUSED, FAULTED };

struct generation {
	uint32_t tokens;  // generated; with text, those of which the text was sent
	uint64_t cycles;
	uint64_t ticks;	  // from start to the last token
	uint32_t errors;  // the register ERROR, if REFUSED
#if STREAMED
	const char *fault; // of the memory, if FAULTED
#endif
};

// Generate, and send the text unless silent; a Ctrl-C stops it, and a stop token a text.
enum result generate(const uint16_t *prompt, uint32_t length, const struct settings *settings,
		     bool silent, struct generation *generation);

// Generate with all streams of an accelerator that has several, silently: tokens are those of all,
// cycles those of the stream that took longest. The first stream is chosen afterwards.
enum result generate_together(const uint16_t *prompt, uint32_t length,
			      const struct settings *settings, struct generation *generation);

#endif
