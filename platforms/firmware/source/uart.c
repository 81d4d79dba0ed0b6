// Source: UG585, "Zynq-7000 TRM", chapter 19 and appendix B (uart).

#include "uart.h"

#include <stddef.h>

#include "memory_mapped.h"
#include "model.h"
#include "system.h"

#define CONTROL (UART_BASE + 0x00)
#define MODE (UART_BASE + 0x04)
#define INTERRUPT_DISABLE (UART_BASE + 0x0C)
#define INTERRUPT_STATUS (UART_BASE + 0x14)
#define BAUD_GENERATOR (UART_BASE + 0x18)
#define RECEIVE_TIMEOUT (UART_BASE + 0x1C)
#define STATUS (UART_BASE + 0x2C)
#define FIFO (UART_BASE + 0x30)
#define BAUD_DIVIDER (UART_BASE + 0x34)

#define RESET_BOTH 0x03u
#define ENABLE_BOTH 0x14u
#define DISABLE_BOTH 0x28u
#define MODE_8N1 0x20u
#define RECEIVE_EMPTY (1u << 1)
#define SEND_EMPTY (1u << 3)
#define SEND_FULL (1u << 4)
#define SENDING (1u << 11)
#define DAMAGED (1u << 5 | 1u << 6 | 1u << 7) // overflow, framing, parity

#define BAUD 115200u
#define CTRL_C 0x03
#define QUEUE 256u

bool uart_interrupted;

static uint16_t queue[QUEUE];
static uint32_t head, tail; // modulo 2**32; their difference is the level
static bool lost;	    // a mark is still to be queued

// The dividers with the rate that comes closest to BAUD.
static void set_baud(void)
{
	uint32_t clock = uart_clock_hz(), best = UINT32_MAX;
	for (uint32_t divider = 4; divider <= 255; divider++) {
		uint32_t step = BAUD * (divider + 1);
		uint32_t generator = divide(clock + step / 2, step, NULL);
		if (generator < 1 || generator > 65535)
			continue;
		uint32_t rate = divide(clock, generator * (divider + 1), NULL);
		uint32_t error = rate > BAUD ? rate - BAUD : BAUD - rate;
		if (error < best) {
			best = error;
			store(BAUD_GENERATOR, generator);
			store(BAUD_DIVIDER, divider);
		}
	}
}

void uart_start(void)
{
	uint64_t end = now() + ticks_of_milliseconds(20);
	// what the boot code had to say
	while ((load(STATUS) & (SEND_EMPTY | SENDING)) != SEND_EMPTY && now() < end)
		;
	store(CONTROL, DISABLE_BOTH);
	store(INTERRUPT_DISABLE, UINT32_MAX);
	store(MODE, MODE_8N1);
	store(RECEIVE_TIMEOUT, 0);
	set_baud();
	store(CONTROL, DISABLE_BOTH | RESET_BOTH);
	while (load(CONTROL) & RESET_BOTH && now() < end)
		;
	store(INTERRUPT_STATUS, UINT32_MAX);
	store(CONTROL, ENABLE_BOTH);
	head = tail = 0;
	lost = uart_interrupted = false;
}

static void arrive(uint8_t byte, bool damaged)
{
	if (!damaged && byte == CTRL_C) {
		tail = head;
		lost = false;
		uart_interrupted = true;
	} else if (head - tail == QUEUE) {
		lost = true;
	} else {
		queue[head++ % QUEUE] = lost || damaged ? MARK : byte;
		lost = false;
	}
}

// The port tells only that some byte was damaged, so all that came with it count as damaged; that
// is one byte, unless nobody polled for long.
void uart_poll(void)
{
	if (lost && head - tail < QUEUE)
		arrive(0, true);
	while (!(load(STATUS) & RECEIVE_EMPTY)) {
		uint8_t bytes[64];
		uint32_t count = 0;
		while (count < sizeof bytes && !(load(STATUS) & RECEIVE_EMPTY))
			bytes[count++] = load(FIFO);
		uint32_t errors = load(INTERRUPT_STATUS) & DAMAGED;
		if (errors) {
			store(INTERRUPT_STATUS, errors);
			// the damaged byte may have come since the last look
			for (count = 0; count < 64 && !(load(STATUS) & RECEIVE_EMPTY); count++)
				load(FIFO);
			arrive(0, true);
			return;
		}
		for (uint32_t i = 0; i < count; i++)
			arrive(bytes[i], false);
	}
}

void uart_forget_damage(void)
{
	store(INTERRUPT_STATUS, DAMAGED);
}

void uart_discard(void)
{
	while (!(load(STATUS) & RECEIVE_EMPTY))
		load(FIFO);
	uart_forget_damage();
	tail = head;
	lost = uart_interrupted = false;
}

int uart_take_raw(void)
{
	return load(STATUS) & RECEIVE_EMPTY ? -1 : (int)load(FIFO);
}

int uart_take(void)
{
	uart_poll();
	return head == tail ? -1 : queue[tail++ % QUEUE];
}

bool uart_has_room(void)
{
	return !(load(STATUS) & SEND_FULL);
}

void uart_send(uint8_t byte)
{
	while (!uart_has_room())
		uart_poll();
	store(FIFO, byte);
}
