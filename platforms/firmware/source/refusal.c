#include "refusal.h"

#include <stdbool.h>
#include <stdint.h>

#include "generation.h"
#include "print.h"
#include "uart.h"

void end_answer(void)
{
	print_message(MESSAGE_EMPTY);
}

void end_refusal(const char *advice)
{
	print(advice);
	end_answer();
}

void begin_refusal(void)
{
	print("\r\n! ");
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

void refuse_silence(bool bench, enum result result, uint32_t errors)
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

bool ended(enum result result, const struct generation *done, bool bench)
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
