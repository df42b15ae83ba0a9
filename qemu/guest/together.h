/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * OP_TOGETHER: several actors make their parts at the same time, each on a CPU of its own as far as there are enough.
 * The first actor of a process is its main thread; further ones are threads, which share its mm.
 */
#ifndef HMMDIFF_TOGETHER_H
#define HMMDIFF_TOGETHER_H

#include <stdbool.h>

#include "protocol.h"

/* Makes a thread once, so that what the C library needs for it is there. `cpu`: where all else runs. Returns 0 or -1. */
int together_init(unsigned int cpu);

/*
 * The process whose turn it is makes step `step` with all others that it names, and appends the parts to the transcript.
 * Returns in this process alone; a process that a part forks waits for its turn.
 */
void play_together(unsigned int step);

/* What another process does when it is woken while the phase is PHASE_TOGETHER. */
void take_part(void);

#endif
