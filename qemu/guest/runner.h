/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RUNNER_H
#define HMMDIFF_RUNNER_H

#include "protocol.h"

/*
 * Binds the agent, and so the processes that it will fork, to the last of its CPUs. On one CPU the trace events of
 * all processes are in one ring buffer, and so in order; and no hand-over wakes another CPU, which costs an emulated
 * guest milliseconds when the host is busy. Returns 0, -1 with errno.
 *
 * The price: a process that spins in the kernel with preemption off keeps the agent from calling it hung. That is
 * left to the kernel's own lockup detector and to the host.
 */
int runner_init(void);

/* The CPU that programs run on. */
unsigned int runner_cpu(void);

/* How many CPUs the agent was given. */
unsigned int runner_cpus(void);

/*
 * Runs `program` in fresh processes and fills `header`; the rest of the transcript is shared->transcript, of
 * control.used bytes. When control.error is not "", the agent failed and there is no transcript.
 */
void run_program(uint32_t sequence, struct transcript_header *header);

#endif
