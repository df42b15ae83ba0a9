/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_ANNOUNCE_H
#define HMMDIFF_ANNOUNCE_H

/* Lets announce_step() write to the console, as often as it likes. Returns 0, -1 with errno. */
int announce_init(void);

/* Writes "hmmdiff: program SEQUENCE step STEP op OP by PROCESS" to the kernel log. */
void announce_step(unsigned int step);

/* The same for a process that leaves behind the last step: "hmmdiff: program SEQUENCE step STEPS end by PROCESS". */
void announce_end(unsigned int process);

#endif
