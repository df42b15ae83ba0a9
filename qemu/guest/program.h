/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_PROGRAM_H
#define HMMDIFF_PROGRAM_H

#include <stdbool.h>

#include "protocol.h"

struct program {
	struct program_header	header;
	struct program_step	steps[MAX_STEPS];
};

/* The program that is being run: set before its first process is forked, never changed after. */
extern struct program program;

/* Whether a region of so many pages is a huge one. */
static inline bool is_huge(unsigned int pages)
{
	return pages % PMD_PAGES == 0;
}

static inline uint64_t region_address(unsigned int region, unsigned int page)
{
	const unsigned int offset = is_huge(program.header.pages[region]) ? 0 : REGION_OFFSET_PAGES;

	return REGION_BASE + region * REGION_STRIDE + (uint64_t)(offset + page) * PAGE_BYTES;
}

/*
 * Says what is wrong with the PROGRAM payload of `length` bytes in `program`, NULL when nothing is: after that every
 * index in it is within bounds, every step is made by a process that exists unless its fork failed, and no process
 * opens a device twice.
 */
const char *check_program(size_t length);

#endif
