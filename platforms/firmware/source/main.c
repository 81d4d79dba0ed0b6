#include "console.h"
#include "system.h"
#include "uart.h"

int main(void)
{
	timer_start();
	uart_start();
	console_run();
}
