#include "console.h"

#include <stdbool.h>

#include "accelerator.h"
#include "command.h"
#include "generation.h"
#include "line.h"
#include "load.h"
#include "print.h"
#include "ready.h"
#include "refusal.h"
#include "tables.h"
#include "text.h"
#include "uart.h"

static const uint32_t limits[SETTINGS] = SETTING_LIMITS;
static const enum message answers[] = ANSWERS;
static const enum message refusals[] = REFUSALS;

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
