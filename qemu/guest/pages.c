// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "pages.h"
#include "shared.h"

static uint64_t mask_of(const bool *has, unsigned int pages)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < pages; i++)
		mask |= (uint64_t)has[i] << i;
	return mask;
}

static void append_values(const uint64_t *values, uint64_t mask)
{
	uint64_t *out = transcript_append(__builtin_popcountll(mask) * 8);

	for (; mask; mask &= mask - 1)
		*out++ = values[__builtin_ctzll(mask)];
}

void append_masked(struct region_record *record, unsigned int pages)
{
	const struct pages *p = &shared->pages;
	uint64_t *words;

	record->kpage_mask = mask_of(p->has_kpage, pages);
	record->words_mask = mask_of(p->has_words, pages);
	memcpy(transcript_append(pages * 8), p->pagemap, pages * 8);
	append_values(p->kpageflags, record->kpage_mask);
	append_values(p->kpagecount, record->kpage_mask);
	words = transcript_append(__builtin_popcountll(record->words_mask) * 16);
	for (uint64_t left = record->words_mask; left; left &= left - 1) {
		*words++ = p->first_word[__builtin_ctzll(left)];
		*words++ = p->last_word[__builtin_ctzll(left)];
	}
}

/* `has` NULL: every page has a value. */
static void append_column(const uint64_t *values, const bool *has, unsigned int pages)
{
	uint64_t *runs = transcript_append(8);
	unsigned int end;

	*runs = 0;
	for (unsigned int i = 0; i < pages; i = end) {
		const bool present = !has || has[i];
		uint64_t step = 0;

		for (end = i + 1; end < pages && (!has || has[end]) == present; end++) {
			if (end == i + 1 && present)
				step = values[end] - values[i];
			if (present && values[end] - values[end - 1] != step)
				break;
		}
		*(struct run_record *)transcript_append(sizeof(struct run_record)) = (struct run_record){
			.value = present ? values[i] : 0,
			.step = end > i + 1 ? step : 0,
			.count = end - i,
			.present = present,
		};
		++*runs;
	}
}

void append_columns(unsigned int pages)
{
	const struct pages *p = &shared->pages;

	append_column(p->pagemap, NULL, pages);
	append_column(p->kpageflags, p->has_kpage, pages);
	append_column(p->kpagecount, p->has_kpage, pages);
	append_column(p->first_word, p->has_words, pages);
	append_column(p->last_word, p->has_words, pages);
}
