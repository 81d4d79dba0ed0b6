// Sources: UG585, "Zynq-7000 TRM", chapter 25 (clocks), appendix B (slcr, devcfg, mpcore);
// ARM DDI 0407, "Cortex-A9 MPCore TRM", 4.4 (the global timer); ARM DDI 0246, "L2C-310 TRM", 3.3.

#include "system.h"

#include <stddef.h>

#include "memory_mapped.h"
#include "model.h"

#define SLCR 0xF8000000u
#define SLCR_LOCK (SLCR + 0x004)
#define SLCR_UNLOCK (SLCR + 0x008)
#define ARM_PLL_CTRL (SLCR + 0x100)
#define DDR_PLL_CTRL (SLCR + 0x104)
#define IO_PLL_CTRL (SLCR + 0x108)
#define ARM_CLK_CTRL (SLCR + 0x120)
#define UART_CLK_CTRL (SLCR + 0x154)
#define FPGA_RST_CTRL (SLCR + 0x240)
#define LVL_SHFTR_EN (SLCR + 0x900)
#define LOCK_KEY 0x767Bu
#define UNLOCK_KEY 0xDF0Du
#define DEVCFG_INT_STS 0xF800700Cu
#define PCFG_DONE (1u << 2)
#define GLOBAL_TIMER 0xF8F00200u
#define TIMER_CONTROL (GLOBAL_TIMER + 8)

#define OUTER_CACHE 0xF8F02000u
#define OUTER_CONTROL (OUTER_CACHE + 0x100)
#define OUTER_SYNC (OUTER_CACHE + 0x730)
#define OUTER_CLEAN_WAYS (OUTER_CACHE + 0x7FC)
#define OUTER_WAYS 0xFFu

enum source { ARM_PLL, DDR_PLL, IO_PLL };

static uint32_t timer_hz;

uint64_t divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
	uint64_t quotient = 0, rest = 0;
	for (int bit = 63; bit >= 0; bit--) {
		rest = rest << 1 | (dividend >> bit & 1);
		quotient <<= 1;
		if (rest >= divisor) {
			rest -= divisor;
			quotient |= 1;
		}
	}
	if (remainder)
		*remainder = rest;
	return quotient;
}

// A PLL divided by bits 13:8 of a clock's control register.
static uint32_t divided_hz(enum source source, uint32_t control)
{
	static const uint32_t controls[] = {ARM_PLL_CTRL, DDR_PLL_CTRL, IO_PLL_CTRL};
	uint32_t pll = load(controls[source]), divisor = control >> 8 & 0x3F;
	uint32_t off = pll & (1u << 4 | 3u); // bypassed, in reset or without power
	uint32_t multiplier = off ? 1 : pll >> 12 & 0x7F;
	return divide((uint64_t)PROCESSOR_CLOCK_HZ * multiplier, divisor ? divisor : 1, NULL);
}

uint32_t uart_clock_hz(void)
{
	uint32_t control = load(UART_CLK_CTRL), select = control >> 4 & 3;
	enum source source = select == 3 ? DDR_PLL : select == 2 ? ARM_PLL : IO_PLL;
	return divided_hz(source, control);
}

void timer_start(void)
{
	uint32_t control = load(ARM_CLK_CTRL), select = control >> 4 & 3;
	enum source source = select == 3 ? IO_PLL : select == 2 ? DDR_PLL : ARM_PLL;
	timer_hz = divided_hz(source, control) / 2; // PERIPHCLK is CPU_3x2x
	store(TIMER_CONTROL, 0);
	store(GLOBAL_TIMER, 0);
	store(GLOBAL_TIMER + 4, 0);
	store(TIMER_CONTROL, 1);
}

uint64_t now(void)
{
	uint32_t high, low, before;
	do {
		before = load(GLOBAL_TIMER + 4);
		low = load(GLOBAL_TIMER);
		high = load(GLOBAL_TIMER + 4);
	} while (high != before);
	return (uint64_t)high << 32 | low;
}

uint64_t ticks_of_milliseconds(uint32_t milliseconds)
{
	return divide((uint64_t)timer_hz * milliseconds, 1000, NULL);
}

uint64_t microseconds_of_ticks(uint64_t ticks)
{
	return divide(ticks * 1000000u, timer_hz, NULL);
}

bool fabric_is_configured(void)
{
	return load(DEVCFG_INT_STS) & PCFG_DONE;
}

void fabric_release(void)
{
	store(SLCR_UNLOCK, UNLOCK_KEY);
	store(LVL_SHFTR_EN, 0xF);
	store(FPGA_RST_CTRL, 0xF);
	uint64_t end = now() + ticks_of_milliseconds(1);
	while (now() < end)
		;
	store(FPGA_RST_CTRL, 0);
	store(SLCR_LOCK, LOCK_KEY);
	// a clock generator of the fabric may need that long to lock
	end = now() + ticks_of_milliseconds(1);
	while (now() < end)
		;
}

#if STREAMED
void outer_cache_clean(void)
{
	if (load(OUTER_CONTROL) & 1) {
		store(OUTER_CLEAN_WAYS, OUTER_WAYS);
		while (load(OUTER_CLEAN_WAYS) & OUTER_WAYS)
			;
		store(OUTER_SYNC, 0);
	}
	__asm__ volatile("dsb" ::: "memory");
}
#endif
