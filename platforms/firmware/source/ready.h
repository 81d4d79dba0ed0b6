// Whether an answer can begin; if not, it has been said why.
#ifndef READY_H
#define READY_H

#include <stdbool.h>

#include "accelerator.h"

// The fabric has a bitstream.
bool reachable(void);

// There is nothing to complain of.
bool accept(const struct complaint *complaint);

// This is the accelerator that the firmware was made for. With choose, it may be one with another
// model than before, of which the tables are known.
bool ready(bool choose);

#endif
