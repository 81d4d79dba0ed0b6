// The serial port: 8 data bits, no parity, 1 stop bit, polled; and the queue behind it.
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

#define MARK 0x100 // an item in the place of bytes that are missing

// Set the port up; nothing that was received before counts.
void uart_start(void);

// Take what has come from the port to the queue; needed once per 64 byte times or more often.
void uart_poll(void);

// The next item of the queue, a byte or MARK; -1 if there is none.
int uart_take(void);

// No byte that came until now counts as damaged.
void uart_forget_damage(void);

// Forget all that has come.
void uart_discard(void);

// The next byte from the port, past the queue, whatever it is; -1 if there is none. Damage is not
// told: forget it afterwards.
int uart_take_raw(void);

// Whether a byte can be sent at once.
bool uart_has_room(void);

// Send a byte, as soon as there is room; polls meanwhile.
void uart_send(uint8_t byte);

// A Ctrl-C has come and has not been answered; it has emptied the queue.
extern bool uart_interrupted;

#endif
