/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose turn it is. One process at a time acts or observes; it hands the turn on itself, so a program of one process
 * runs without a switch. The agent takes part only when the process whose turn it was has exited.
 */
#ifndef HMMDIFF_SEQUENCE_H
#define HMMDIFF_SEQUENCE_H

/* Sets the turn to the program's first step. The processes will run on `cpu`. */
void sequence_start(unsigned int cpu);

/* Plays the part of process `self` to its end. */
__attribute__((noreturn))
void sequence_play(void);

/* The same for a process that a part of OP_TOGETHER has forked: it waits for its turn first. */
__attribute__((noreturn))
void sequence_follow(void);

/* Ends the wait of process `process` for its turn. */
void wake(unsigned int process);

/* To be called by the agent when a process that was to leave has left: hands the turn on. */
void sequence_after_exit(void);

#endif
