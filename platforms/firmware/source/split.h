// Where a text is split before merges.
#ifndef SPLIT_H
#define SPLIT_H

#include <stdint.h>

// Bytes of the first part of a text of at least one byte.
uint32_t split_size(const uint8_t *text, uint32_t bytes);

// Bytes of a character, by its first one.
uint32_t character_bytes(uint8_t first);

#endif
