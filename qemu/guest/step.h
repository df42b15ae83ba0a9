/* SPDX-License-Identifier: GPL-2.0-only */
/* What operations have in common: the pages of a step, what it writes into them, and what its record says. */
#ifndef HMMDIFF_STEP_H
#define HMMDIFF_STEP_H

#include <stdbool.h>

#include "program.h"
#include "shared.h"

void record_errno(int code);

/* For calls that return a negative number on failure. */
bool succeeded(long result);

static inline uint64_t start_of(const struct program_step *s)
{
	return region_address(s->region, s->first);
}

/* What the page of these words holds. */
struct page_record look_at(const volatile uint64_t *words);

/* Room in the step's record for what it reads of so many pages. */
struct page_record *append_data(unsigned int pages);

/* Takes what the last append_data() gave back again. */
void drop_data(struct page_record *data);

/* Where system calls copy pages to and from. */
uint8_t *bounce(void);

/* What this step writes into a page; parts write something else in each round. */
uint64_t token_of(const struct program_step *s, unsigned int page, unsigned int round);

/* Has bounce() hold what the step writes into its pages. */
void fill_bounce(const struct program_step *s, unsigned int round);

#endif
