#include "command.h"

#include "model.h"

// Length of the name if the line begins with it, and with nothing else before a space; else 0.
static uint32_t match(const char *name, const uint16_t *bytes, uint32_t length)
{
	uint32_t i = 0;
	while (name[i]) {
		if (i == length || bytes[i] != name[i])
			return 0;
		i++;
	}
	return i == length || bytes[i] == ' ' ? i : 0;
}

static bool append(uint32_t *value, uint32_t digit, uint32_t limit)
{
	uint64_t longer = (uint64_t)*value * 10 + digit;
	*value = longer;
	return longer <= limit;
}

// Decimal digits; with decimals, a point and up to so many more may follow. False: no number.
static bool read_number(const uint16_t *bytes, uint32_t length, uint32_t decimals, uint32_t limit,
			uint32_t *value)
{
	uint32_t i = 0, after_point = 0;
	bool point = false;
	*value = 0;
	for (; i < length; i++) {
		if (bytes[i] == '.' && decimals && i && !point) {
			point = true;
			continue;
		}
		if (bytes[i] < '0' || bytes[i] > '9' || (point && after_point == decimals))
			return false;
		after_point += point;
		if (!append(value, bytes[i] - '0', limit))
			return false;
	}
	if (point && !after_point)
		return false;
	for (; after_point < decimals; after_point++)
		if (!append(value, 0, limit))
			return false;
	return true;
}

bool has_decimals(uint32_t code)
{
#if IMPORTED
	if (code == NUMBER_TOP_P)
		return true;
#endif
	return code == NUMBER_TEMPERATURE;
}

struct command command_read(const uint16_t *bytes, uint32_t length, const uint32_t *limits)
{
	struct command read = {UNKNOWN_COMMAND, false, false, 0};
	uint32_t at = 0, code = 0;
	bytes++, length--;
	for (; code < UNKNOWN_COMMAND; code++)
		if ((at = match(command_names[code], bytes, length)))
			break;
	if (code == UNKNOWN_COMMAND)
		return read;
	while (at < length && bytes[at] == ' ')
		at++;
	if (at == length) {
		read.code = code;
	} else if (code < SETTINGS) {
		uint32_t decimals = has_decimals(code) ? DECIMALS : 0;
		read.code = code;
		read.has_argument = true;
		read.refused = !read_number(bytes + at, length - at, decimals, limits[code],
					    &read.value);
#if IMPORTED
		static const uint32_t least[] = SETTING_LEAST;
		read.refused = read.refused || read.value < least[code];
#endif
	}
	return read;
}
