// What compilers call on their own, and what a C library would have.
// Source: ARM IHI 0043, "Run-time ABI for the Arm Architecture", 4.3.4.

#include <stddef.h>
#include <stdint.h>

void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void __aeabi_memclr(void *to, size_t size);
void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t size);

void *memset(void *to, int value, size_t size)
{
	uint8_t *bytes = to;
	while (size--)
		*bytes++ = value;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	uint8_t *bytes = to;
	const uint8_t *source = from;
	while (size--)
		*bytes++ = *source++;
	return to;
}

void __aeabi_memclr(void *to, size_t size)
{
	memset(to, 0, size);
}

void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t size)
{
	memcpy(to, from, size);
}

void __aeabi_memclr4(void *to, size_t size) __attribute__((alias("__aeabi_memclr")));
void __aeabi_memclr8(void *to, size_t size) __attribute__((alias("__aeabi_memclr")));
void __aeabi_memcpy4(void *restrict to, const void *restrict from, size_t size)
	__attribute__((alias("__aeabi_memcpy")));
void __aeabi_memcpy8(void *restrict to, const void *restrict from, size_t size)
	__attribute__((alias("__aeabi_memcpy")));
