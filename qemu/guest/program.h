/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_PROGRAM_H
#define HMMDIFF_PROGRAM_H

#include "protocol.h"

struct program {
	struct program_header	header;
	struct program_step	steps[MAX_STEPS];
};

/* The program that is being run: set before its first process is forked, never changed after. */
extern struct program program;

/*
 * Says what is wrong with the PROGRAM payload of `length` bytes in `program`, NULL when nothing is: after that every
 * index in it is within bounds, every step is made by a process that exists unless its fork failed, and no process
 * opens a device twice.
 */
const char *check_program(size_t length);

#endif
