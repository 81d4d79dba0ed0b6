#include "image.h"

#include "model.h"

#if STREAMED

#include <stddef.h>

#include "crc.h"
#include "memory_mapped.h"
#include "registers.h"
#include "system.h"

#define IMAGE_ADDRESS (IMAGE_FILE_ADDRESS + IMAGE_HEADER_BYTES)

#define COPY_AGAIN "copy " IMAGE_FILE " to the card again, then reset the board"
#define BUILD_AGAIN "build bitstream, firmware and " IMAGE_FILE " together, then reset the board"
#define RESET "reset the board"

static uint32_t header(uint32_t offset)
{
	return load(IMAGE_FILE_ADDRESS + offset);
}

// Whether all words are as expected; if not, the complaint has both.
static bool equal(struct complaint *found, uint32_t words, const char *name, const char *advice)
{
	found->name = NULL;
	for (uint32_t i = 0; i < words; i++)
		if (found->read[i] != found->expected[i])
			found->name = name;
	found->words = words;
	found->advice = advice;
	return !found->name;
}

static struct complaint complain(const char *name, const char *advice)
{
	struct complaint found = {.name = name, .words = 0, .advice = advice};
	return found;
}

static const char *kind_of_file(void)
{
	static const uint32_t kind[] = IMAGE_KIND;
	const uint32_t version = 0xFFu << 24; // the last byte
	if (header(0) != kind[0] || (header(4) ^ kind[1]) & ~version)
		return "there is no image of weights in the memory";
	if (header(4) != kind[1])
		return IMAGE_FILE " is of another version of the format";
	return NULL;
}

static uint32_t header_crc(void)
{
	uint32_t crc = UINT32_MAX;
	for (uint32_t at = 0; at < IMAGE_HEADER_BYTES; at += 4)
		crc = crc_with(crc, at == IMAGE_CRC_AT ? 0 : header(at), IMAGE_CRC_TAPS);
	return ~crc;
}

static bool same_header(struct complaint *found)
{
	found->read[0] = header_crc();
	found->expected[0] = header(IMAGE_CRC_AT);
	return equal(found, 1, "the header of " IMAGE_FILE " is damaged: its CRC", COPY_AGAIN);
}

static bool same_model(struct complaint *found)
{
	for (uint32_t i = 0; i < DIGEST_WORDS; i++) {
		found->read[i] = __builtin_bswap32(header(IMAGE_DIGEST_AT + 4 * i));
		found->expected[i] = digest[i];
	}
	return equal(found, DIGEST_WORDS, IMAGE_FILE " is another model's: its digest", BUILD_AGAIN);
}

static bool same_shape(struct complaint *found)
{
	found->read[0] = header(IMAGE_PORTS_AT) << GATEFORMER_MEMORY_SHAPE_PORTS_SHIFT |
			 header(IMAGE_DATA_BYTES_AT) << GATEFORMER_MEMORY_SHAPE_DATA_BYTES_SHIFT |
			 header(IMAGE_BURST_BEATS_AT) << GATEFORMER_MEMORY_SHAPE_BURST_BEATS_SHIFT;
	found->expected[0] = accelerator_register(GATEFORMER_MEMORY_SHAPE);
	return equal(found, 1, IMAGE_FILE " is for another memory: its shape", BUILD_AGAIN);
}

static bool fits(void)
{
	uint32_t bytes = header(IMAGE_MEMORY_BYTES_AT);
	return !header(IMAGE_MEMORY_BYTES_AT + 4) && bytes <= MEMORY_END - IMAGE_ADDRESS;
}

static bool same_size(struct complaint *found)
{
	found->read[0] = header(IMAGE_IMAGE_BYTES_AT);
	found->read[1] = header(IMAGE_IMAGE_BYTES_AT + 4);
	found->read[2] = header(IMAGE_MEMORY_BYTES_AT);
	found->expected[0] = accelerator_register(GATEFORMER_IMAGE_BYTES);
	found->expected[1] = 0;
	found->expected[2] = accelerator_register(GATEFORMER_MEMORY_BYTES);
	return equal(found, 3, IMAGE_FILE " is of another size: its bytes", BUILD_AGAIN);
}

// Set the ports to the memory to 64 bits.
static struct complaint widen_ports(void)
{
	static const uint8_t ports[] = MEMORY_PORTS;
	static const uint32_t offsets[] = {AFI_READ_CONTROL, AFI_WRITE_CONTROL};
	static const char *const names[] = {
		"a port to the memory is at 32 bits: AFI_RDCHAN_CTRL",
		"a port to the memory is at 32 bits: AFI_WRCHAN_CTRL",
	};
	struct complaint found = complain(NULL, RESET);
	for (uint32_t i = 0; i < 2 * sizeof ports && !found.name; i++) {
		uint32_t at = AFI_ADDRESS + ports[i / 2] * AFI_STEP + offsets[i % 2];
		uint32_t word = load(at) & ~AFI_NARROW;
		store(at, word);
		found.read[0] = load(at);
		found.expected[0] = word;
		equal(&found, 1, names[i % 2], RESET);
	}
	return found;
}

struct complaint image_check(void)
{
	const uint32_t verified = GATEFORMER_IMAGE_STATUS_VERIFIED_MASK;
	const uint32_t verifying = GATEFORMER_IMAGE_STATUS_VERIFYING_MASK;
	struct complaint found = complain(NULL, NULL);
	uint32_t status = accelerator_register(GATEFORMER_IMAGE_STATUS);
	// a reset of the fabric forgets the address
	if (status & verified && accelerator_register(GATEFORMER_IMAGE_ADDRESS) == IMAGE_ADDRESS)
		return found;
	accelerator_abort();
	// what the boot code has written must be in the memory, not in a cache
	outer_cache_clean();
	const char *kind = kind_of_file();
	if (kind)
		return complain(kind, COPY_AGAIN);
	if (!same_header(&found) || !same_model(&found) || !same_shape(&found))
		return found;
	if (!fits())
		return complain(IMAGE_FILE " is too large for the memory", BUILD_AGAIN);
	if (!same_size(&found))
		return found;
	found = widen_ports();
	if (found.name)
		return found;
	accelerator_verify(IMAGE_ADDRESS);
	uint32_t clock_khz = accelerator_register(GATEFORMER_CLOCK_KHZ) | 1;
	uint32_t milliseconds = divide(header(IMAGE_IMAGE_BYTES_AT), clock_khz, NULL);
	// beyond a byte of the image per cycle
	uint64_t end = now() + ticks_of_milliseconds(PATIENCE_MS + milliseconds);
	while ((status = accelerator_register(GATEFORMER_IMAGE_STATUS)) & verifying)
		if (now() >= end)
			return complain("the core does not end reading " IMAGE_FILE, RESET);
	const char *fault = accelerator_fault();
	if (fault)
		return complain(fault, COPY_AGAIN);
	if (!(status & verified))
		return complain(IMAGE_FILE " is damaged: its checksum is not the accelerator's",
				COPY_AGAIN);
	return found;
}

#endif
