// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "process.h"
#include "step.h"

void record_errno(int code)
{
	struct step_record *record = current_record();

	record->outcome = OUTCOME_ERRNO;
	record->code = code;
}

bool succeeded(long result)
{
	if (result < 0)
		record_errno(errno);
	return result >= 0;
}

struct page_record look_at(const volatile uint64_t *words)
{
	const uint64_t first = words[0];
	uint64_t differences = 0;

	for (unsigned int i = 1; i < PAGE_WORDS; i++)
		differences |= words[i] ^ first;
	return (struct page_record){ .word = first, .uniform = !differences };
}

struct page_record *append_data(unsigned int pages)
{
	struct step_record *record = current_record();

	record->flags |= STEP_HAS_DATA;
	record->data = pages;
	return own_part ? own_part->data : transcript_append(pages * sizeof(struct page_record));
}

void drop_data(struct page_record *data)
{
	current_record()->flags &= ~STEP_HAS_DATA;
	current_record()->data = 0;
	if (!own_part)
		transcript_trim(data, 0);
}

uint8_t *bounce(void)
{
	return own_part ? own_part->bounce : shared->bounce;
}

uint64_t token_of(const struct program_step *s, unsigned int page, unsigned int round)
{
	const unsigned int step = own_part ? own_part->token_step : shared->control.steps;

	return page_token(step, s->region, s->first + page) ^ (uint64_t)round << TOKEN_ROUND_SHIFT;
}

void fill_bounce(const struct program_step *s, unsigned int round)
{
	uint64_t *words = (uint64_t *)bounce();

	for (unsigned int i = 0; i < s->count; i++) {
		const uint64_t token = token_of(s, i, round);

		for (unsigned int w = 0; w < PAGE_WORDS; w++)
			*words++ = token;
	}
}
