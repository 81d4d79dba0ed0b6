// The tables of the model that the accelerator has: the built-in ones, or loaded ones.
#ifndef TABLES_H
#define TABLES_H

#include <stdint.h>

#include "model.h"

// Keep tables, from the words of an image: those of the model that the accelerator has now.
void tables_load(const uint32_t *words);

// Make the tables those of the model of which the accelerator tells the digest; if that is of no
// model known here, the built-in ones.
void tables_choose(void);

#endif
