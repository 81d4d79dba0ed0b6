// Texts and numbers to the serial port.
#ifndef PRINT_H
#define PRINT_H

#include <stdint.h>

#include "model.h"

// Numbers that texts contain, by their codes.
extern uint64_t numbers[NUMBERS];

// A text of the model's header, with its numbers; one that ends an answer answers Ctrl-C, too.
void print_message(enum message message);

void print(const char *text);
void print_decimal(uint64_t value);
void print_hexadecimal(uint32_t value);

#endif
