/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RUNNER_H
#define HMMDIFF_RUNNER_H

#include "protocol.h"

/* Chooses the CPU for programs and keeps the agent itself off it. Returns 0, -1 with errno. */
int runner_init(void);

/* The CPU that programs run on. */
unsigned int runner_cpu(void);

/* How many CPUs there are for the agent and its programs. */
unsigned int runner_cpus(void);

/*
 * Runs `program` in fresh processes and fills `header`; the rest of the transcript is shared->transcript, of
 * control.used bytes. When control.error is not "", the agent failed and there is no transcript.
 */
void run_program(uint32_t sequence, struct transcript_header *header);

#endif
