#include "ready.h"

#include <stdint.h>

#include "accelerator.h"
#include "image.h"
#include "print.h"
#include "refusal.h"
#include "registers.h"
#include "tables.h"

bool reachable(void)
{
	if (accelerator_reachable())
		return true;
	begin_refusal();
	end_refusal("the fabric has no bitstream; load it, then type /info");
	return false;
}

static void print_compared(const struct complaint *complaint)
{
	for (int i = 0; i < 2; i++) {
		const uint32_t *words = i ? complaint->expected : complaint->read;
		print(i ? ", expected " : " reads ");
		for (uint32_t j = 0; j < complaint->words; j++)
			print_hexadecimal(words[j]);
	}
}

bool accept(const struct complaint *complaint)
{
	if (!complaint->name)
		return true;
	begin_refusal();
	print(complaint->name);
#if STREAMED
	if (complaint->advice) {
		if (complaint->words)
			print_compared(complaint);
		print("; ");
		end_refusal(complaint->advice);
		return false;
	}
#endif
	print_compared(complaint);
	print(RELOAD && complaint->words == DIGEST_WORDS ? "; /load a model, or " : "; ");
	end_refusal("load this firmware's bitstream, then type /info");
	return false;
}

bool ready(bool choose)
{
	if (!reachable())
		return false;
	if (choose)
		tables_choose();
	struct complaint complaint = accelerator_identify(!accelerator_has_model());
	if (!accept(&complaint))
		return false;
	numbers[NUMBER_BUILD] = accelerator_register(GATEFORMER_BUILD_ID);
#if !IMPORTED
	numbers[NUMBER_ROWS] = accelerator_register(GATEFORMER_ENGINE_ROWS);
	numbers[NUMBER_COLS] = accelerator_register(GATEFORMER_ENGINE_COLS);
#endif
	numbers[NUMBER_LANES] = accelerator_register(GATEFORMER_ARRAY_LANES);
	numbers[NUMBER_CLOCK] = accelerator_register(GATEFORMER_CLOCK_KHZ);
#if STREAMED
	complaint = image_check();
	return accept(&complaint);
#else
	return true;
#endif
}
