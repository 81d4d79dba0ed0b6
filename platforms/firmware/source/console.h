// The console of docs/console.md.
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

// Introduce the accelerator, or say what is wrong with it, then answer lines for ever.
_Noreturn void console_run(void);

// After an exception of the processor: say so and go on.
_Noreturn void console_fault(uint32_t kind, uint32_t address);

#endif
