// The image of a model in external memory, which the boot code has put there (docs/zynq.md).
#ifndef IMAGE_H
#define IMAGE_H

#include "accelerator.h"

// Look at the image unless the core has verified it, and let the core verify it; what is wrong.
struct complaint image_check(void);

#endif
