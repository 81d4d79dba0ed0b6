// What a command's line says.
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stdint.h>

struct command {
	uint32_t code;	   // index into the commands, or UNKNOWN_COMMAND
	bool has_argument; // value was given
	bool refused;	   // the argument is no number, or above the limit
	uint32_t value;
};

// Whether a setting, or the number of this code, has decimals.
bool has_decimals(uint32_t code);

// Read the line of bytes, of which the first is the slash. limits: of each setting.
struct command command_read(const uint16_t *bytes, uint32_t length, const uint32_t *limits);

#endif
