// Registers of the processor's side (UG585, appendix B) and of the accelerator.
#ifndef MEMORY_MAPPED_H
#define MEMORY_MAPPED_H

#include <stdint.h>

static inline uint32_t load(uintptr_t address)
{
	return *(volatile uint32_t *)address;
}

static inline void store(uintptr_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

#endif
