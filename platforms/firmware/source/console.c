#include "console.h"

#include <stdbool.h>
#include <stddef.h>

#include "accelerator.h"
#include "command.h"
#include "generation.h"
#include "image.h"
#include "line.h"
#include "load.h"
#include "print.h"
#include "registers.h"
#include "system.h"
#include "tables.h"
#include "uart.h"

static const uint32_t limits[SETTINGS] = SETTING_LIMITS;
static const enum message answers[] = ANSWERS;
static const enum message refusals[] = REFUSALS;

static void end_answer(void)
{
	print_message(MESSAGE_EMPTY);
}

// A line of refusal has been begun; its end, and that of the answer.
static void end_refusal(const char *advice)
{
	print(advice);
	end_answer();
}

// After the echo of Enter, or the end of a text.
static void begin_refusal(void)
{
	print("\r\n! ");
}

static bool reachable(void)
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

// Whether there is nothing to complain of; if there is, it has been said.
static bool accept(const struct complaint *complaint)
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

// Whether this is the accelerator that the firmware was made for; if not, it has been said. With
// choose, it may be one with another model than before, of which the tables are known.
static bool ready(bool choose)
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

// After a part of an answer.
static void begin_late_refusal(bool bench)
{
	if (bench) {
		print("! ");
	} else {
		uart_send(ETX);
		begin_refusal();
	}
}

static void refuse_silence(bool bench, enum result result, uint32_t errors)
{
	begin_late_refusal(bench);
	if (result == SILENT) {
		end_refusal("the core does not answer; reset the board");
		return;
	}
	print("the core refuses: ERROR reads ");
	print_hexadecimal(errors);
	end_refusal("; reset the board");
}

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

// Whether the core has answered and ended; if not, it has been said.
static bool ended(enum result result, const struct generation *done, bool bench)
{
#if STREAMED
	if (result == FAULTED) {
		begin_late_refusal(bench);
		print(done->fault);
		end_refusal("; try again, or reset the board");
		return false;
	}
#endif
	if (result != SILENT && result != REFUSED)
		return true;
	refuse_silence(bench, result, done->errors);
	return false;
}

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

static void answer_with_generation(const uint16_t *prompt, uint32_t length, bool bench)
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

// The answer to /info, or what is sent after a start.
static void introduce(bool welcome)
{
#if RELOAD
	if (!accelerator_has_model()) {
		print_message(welcome ? MESSAGE_NO_MODEL_WELCOME : MESSAGE_NO_MODEL_INFO);
		return;
	}
	print_message(MESSAGE_MODEL);
	print(label);
	print_message(welcome ? MESSAGE_AFTER_WELCOME : MESSAGE_AFTER_MODEL);
#else
	print_message(welcome ? MESSAGE_WELCOME : MESSAGE_INFO);
#endif
}

#if RELOAD
static void answer_load(void)
{
	static const char *const refusals[] = IMAGE_REFUSAL_TEXTS, *const left[] = IMAGE_LEFT_TEXTS;
	if (!reachable())
		return;
	struct complaint complaint = accelerator_takes_image();
	if (!accept(&complaint))
		return;
	if (!accelerator_load_begin()) {
		print("\r\n");
		refuse_silence(true, REFUSED, accelerator_errors());
		return;
	}
	print_message(MESSAGE_IMAGE);
	struct load load = load_image();
	if (load.silent) {
		refuse_silence(true, SILENT, 0);
		return;
	}
	if (load.refusal == REFUSAL_NONE) {
		tables_choose();
		print_message(MESSAGE_LOADED);
		print(label);
	} else {
		print(refusals[load.refusal]);
		print(left[accelerator_has_model()]);
	}
	end_answer();
}
#endif

static void obey(void)
{
	static const uint16_t zero[] = {0};
	struct command command = command_read(line.values, line.length, limits);
	if (command.refused) {
		print_message(refusals[command.code]);
	} else if (command.code == COMMAND_BENCH) {
		answer_with_generation(zero, 1, true);
	} else if (command.code == COMMAND_INFO) {
		if (ready(true))
			introduce(false);
#if RELOAD
	} else if (command.code == COMMAND_LOAD) {
		answer_load();
#endif
	} else {
		if (command.has_argument)
			numbers[command.code] = command.value;
		print_message(answers[command.code]);
	}
}

static void answer_prompt(void)
{
#if IMPORTED
	static uint16_t prompt[CTX_LEN];
	uint32_t length = line_prompt(prompt);
	if (line.failed)
		print_message(line.refusal);
	else
		answer_with_generation(prompt, length, false);
#else
	answer_with_generation(line.values, line.length, false);
#endif
}

static void answer(void)
{
	if (line.failed)
		print_message(line.refusal);
	else if (!line.length)
		end_answer();
	else if (line.command)
		obey();
	else
		answer_prompt();
}

static void handle(int item)
{
	switch (line_look(item)) {
	case LINE_NOTHING:
		break;
	case LINE_ECHO:
		uart_send(item);
		line_add(item);
		break;
	case LINE_RUBOUT:
		while (line.rubbed--)
			print_message(MESSAGE_RUBOUT);
		break;
	case LINE_ERASED:
		print_message(MESSAGE_ERASED);
		line_clear();
		break;
	case LINE_ENTERED:
		answer();
		line_clear();
	}
}

static _Noreturn void answer_lines(void)
{
	line_clear();
	for (;;) {
		int item = uart_take();
		if (uart_interrupted) {
			line_clear();
			line_forget_cr();
			end_answer();
		} else if (item >= 0) {
			handle(item);
		}
	}
}

_Noreturn void console_run(void)
{
	static const uint32_t values[SETTINGS] = SETTING_DEFAULTS;
	for (uint32_t i = 0; i < SETTINGS; i++)
		numbers[i] = values[i];
	if (ready(true))
		introduce(true);
	answer_lines();
}

_Noreturn void console_fault(uint32_t kind, uint32_t address)
{
	static const char *const kinds[] = {
		"undefined instruction", "supervisor call", "prefetch abort", "data abort", "interrupt",
	};
#if RELOAD
	if (load_broken_off())
		load_drop();
#endif
	begin_refusal();
	print(kinds[kind]);
	print(" at ");
	print_hexadecimal(address);
	end_refusal("; load this firmware's bitstream, then type /info");
	answer_lines();
}
