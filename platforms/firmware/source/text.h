// The answer to a prompt, and that to /bench.
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stdint.h>

// What the model writes after the prompt's tokens; with bench, only how fast.
void answer_with_generation(const uint16_t *prompt, uint32_t length, bool bench);

#endif
