#include "text.h"

#include "accelerator.h"
#include "generation.h"
#include "print.h"
#include "ready.h"
#include "refusal.h"
#include "system.h"
#include "tables.h"
#include "uart.h"

#if STREAMED
static void print_share_of_stalls(void)
{
	uint32_t rest, stalled = divide(accelerator_stalled(), 10, &rest);
	print("waited for the memory in ");
	print_decimal(stalled);
	uart_send('.');
	print_decimal(rest);
	print(" % of the cycles\r\n");
}
#endif

#if STREAMS > 1
// The speed of all streams together. False: it came to nothing, which has been said.
static bool bench_together(const uint16_t *prompt, uint32_t length,
			   const struct settings *settings, enum result *result)
{
	struct generation done;
	*result = generate_together(prompt, length, settings, &done);
	if (!ended(*result, &done, true))
		return false;
	if (*result == STOPPED)
		return true;
	print("# all ");
	print_decimal(STREAMS);
	print(" streams: text ");
	print_decimal(done.tokens);
	print(" tokens, ");
	print_decimal(done.cycles);
	print(" cycles, wall clock ");
	print_decimal(microseconds_of_ticks(done.ticks));
#if STREAMED
	print(" us, ");
	print_share_of_stalls();
#else
	print(" us\r\n");
#endif
	return true;
}
#endif

void answer_with_generation(const uint16_t *prompt, uint32_t length, bool bench)
{
	static const enum message endings[] = ENDINGS;
	uint32_t count = numbers[NUMBER_TOKENS];
	struct generation done;
	if (!ready(false))
		return;
#if RELOAD
	if (!accelerator_has_model()) {
		print_message(MESSAGE_NO_MODEL);
		return;
	}
#endif
	const struct multiplier *multiplier = &multipliers[numbers[NUMBER_TEMPERATURE]];
	struct settings settings = {
		.mult = bench ? 0 : multiplier->mult,
		.shift = bench ? 0 : multiplier->shift,
		.top_k = numbers[NUMBER_TOP_K],
#if IMPORTED
		.top_p = top_p_settings[numbers[NUMBER_TOP_P]],
#endif
		.seed = numbers[NUMBER_SEED],
		.count = bench ? BENCH_TOKENS : count ? count : COUNT_LIMIT,
	};
	print_message(bench ? MESSAGE_BENCH : MESSAGE_PROMPT);
	enum result result = generate(prompt, length, &settings, bench, &done);
	if (settings.mult)
		numbers[NUMBER_SEED] = numbers[NUMBER_SEED] + 1 & UINT32_MAX;
	if (!ended(result, &done, bench))
		return;
	if (bench && result != STOPPED) {
		print("# wall clock ");
		print_decimal(microseconds_of_ticks(done.ticks));
		print(" us\r\n");
#if STREAMED
		print("# ");
		print_share_of_stalls();
#endif
#if STREAMS > 1
		if (!bench_together(prompt, length, &settings, &result))
			return;
#endif
	}
	numbers[NUMBER_PROMPT] = length;
	numbers[NUMBER_TEXT] = done.tokens;
	numbers[NUMBER_CYCLES] = done.cycles;
	numbers[NUMBER_WAITING] = 0; // the tokens are taken as they come
	print_message(bench ? MESSAGE_COUNTS : MESSAGE_COUNTS_AFTER_TEXT);
	print_message(endings[result]);
}
