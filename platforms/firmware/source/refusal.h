// What is said where there is no answer, and how an answer ends.
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "generation.h"

void end_answer(void);

// After the echo of Enter, or the end of a text.
void begin_refusal(void);

// A line of refusal has been begun; its end, and that of the answer.
void end_refusal(const char *advice);

// The core is silent, or refuses with these errors, within an answer: that to /bench, or a text.
void refuse_silence(bool bench, enum result result, uint32_t errors);

// Whether the core has answered and ended; if not, it has been said.
bool ended(enum result result, const struct generation *done, bool bench);

#endif
