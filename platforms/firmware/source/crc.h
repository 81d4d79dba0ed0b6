// A CRC of words, the lowest bit first.
#ifndef CRC_H
#define CRC_H

#include <stdint.h>

// The CRC with another word; bit 31 of taps is that of x^0.
static inline uint32_t crc_with(uint32_t crc, uint32_t word, uint32_t taps)
{
	crc ^= word;
	for (int bit = 0; bit < 32; bit++)
		crc = crc >> 1 ^ (crc & 1 ? taps : 0);
	return crc;
}

#endif
