// Clocks, time and the way to the fabric.
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

// Quotient, rounded down; *remainder may be NULL. The processor cannot divide.
uint64_t divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder);

// Frequency of the UARTs' reference clock, as the boot code has set it.
uint32_t uart_clock_hz(void);

// Start the clock behind now().
void timer_start(void);

// Ticks since timer_start().
uint64_t now(void);

uint64_t ticks_of_milliseconds(uint32_t milliseconds);
uint64_t microseconds_of_ticks(uint64_t ticks);

// Whether the fabric has a bitstream; without one, an access to it would never end.
bool fabric_is_configured(void);

// Open the way to the fabric and restart what is in it; also needed after a load by JTAG.
void fabric_release(void);

// Write what the cache of level 2 has to the memory, and empty it.
void outer_cache_clean(void);

#endif
