#include "print.h"

#include <stdbool.h>
#include <stddef.h>

#include "system.h"
#include "uart.h"

uint64_t numbers[NUMBERS];

void print(const char *text)
{
	while (*text)
		uart_send(*text++);
}

// At least `least` digits, with a point before the last `decimals`.
static void print_digits(uint64_t value, uint32_t least, uint32_t decimals)
{
	char digits[20]; // of 2**64 - 1
	uint32_t count = 0;
	while (value || count < least) {
		uint32_t digit;
		value = divide(value, 10, &digit);
		digits[count++] = '0' + digit;
	}
	while (count) {
		if (decimals && count == decimals)
			uart_send('.');
		uart_send(digits[--count]);
	}
}

void print_decimal(uint64_t value)
{
	print_digits(value, 1, 0);
}

void print_hexadecimal(uint32_t value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		uart_send("0123456789abcdef"[value >> shift & 15]);
}

// kHz as MHz, without zeros behind the point.
static void print_megahertz(uint32_t kilohertz)
{
	uint32_t decimals = 3, digit;
	while (decimals) {
		uint32_t shorter = divide(kilohertz, 10, &digit);
		if (digit)
			break;
		kilohertz = shorter;
		decimals--;
	}
	print_digits(kilohertz, decimals + 1, decimals);
}

static void print_number(uint32_t number)
{
	uint64_t value = numbers[number];
	switch (number) {
	case NUMBER_TEMPERATURE:
#if IMPORTED
	case NUMBER_TOP_P:
#endif
		print_digits(value, DECIMALS + 1, DECIMALS);
		break;
	case NUMBER_BUILD:
		print_hexadecimal(value);
		break;
	case NUMBER_CLOCK:
		print_megahertz(value);
		break;
	case NUMBER_PACKING:
		// no register tells it: it is known of the build that this firmware is of
		print(numbers[NUMBER_BUILD] == BUILD_ID ? PACKING : "unknown");
		break;
	default:
		print_decimal(value);
	}
}

void print_message(enum message message)
{
	for (const uint16_t *entry = texts + text_begins[message]; *entry != TEXT_END; entry++) {
		if (*entry & SPECIAL) {
			print_number(*entry & ~SPECIAL);
			continue;
		}
		uart_send(*entry);
		if (*entry == EOT)
			uart_interrupted = false;
	}
}
