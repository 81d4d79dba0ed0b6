// /load: the image of another model over the serial port (docs/console.md).
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct load {
	uint32_t refusal; // enum refusal
	bool silent;	  // the core does not answer
};

// Take an image, of which the core waits for its part. When it is refused, the line has been silent
// for a second.
struct load load_image(void);

// Whether bytes of an image may still come: after an exception within load_image().
bool load_broken_off(void);

// Drop what comes until the line has been silent for a second.
void load_drop(void);

#endif
