// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "guard.h"
#include "observe.h"
#include "process.h"
#include "program.h"
#include "shared.h"

/* fs/proc/task_mmu.c: PM_PRESENT, PM_PFRAME_MASK */
#define PM_PRESENT	(1ull << 63)
#define PM_PFRAME_MASK	((1ull << 55) - 1)

static int kpageflags = -1;
static int kpagecount = -1;

int observe_init(void)
{
	kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	kpagecount = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	return kpageflags < 0 || kpagecount < 0 ? -1 : 0;
}

static void read_pagemap(uint64_t *entries, unsigned int region, unsigned int pages)
{
	const off_t offset = region_address(region, 0) / PAGE_BYTES * 8;
	ssize_t length;

	if (self.pagemap < 0) {
		self.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		if (self.pagemap < 0)
			fail("/proc/self/pagemap");
	}
	errno = 0;
	length = pread(self.pagemap, entries, pages * 8, offset);
	if (length != pages * 8)
		fail("pagemap of region %u: %zd bytes, not %u", region, length, pages * 8);
}

static uint64_t present_pages(const uint64_t *entries, unsigned int pages)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < pages; i++)
		if (entries[i] & PM_PRESENT)
			mask |= 1ull << i;
	return mask;
}

/*
 * The present pages from `first` on whose PFNs go up, go down or stay the same one by one: the page allocator hands
 * them out like that, and one pread() then serves them all. Never spans a page that is not present, whose number is
 * no PFN.
 */
struct run {
	unsigned int	first;
	unsigned int	end;
	uint64_t	lowest;
	uint64_t	highest;
};

static struct run find_run(const uint64_t *entries, uint64_t present, unsigned int first, unsigned int pages)
{
	const uint64_t pfn = entries[first] & PM_PFRAME_MASK;
	struct run run = { first, first + 1, pfn, pfn };
	int64_t step = 0;

	for (; run.end < pages && present & 1ull << run.end; run.end++) {
		const int64_t delta = (entries[run.end] & PM_PFRAME_MASK) - (entries[run.end - 1] & PM_PFRAME_MASK);

		if (run.end == first + 1)
			step = delta;
		if (delta != step || delta < -1 || delta > 1)
			break;
		run.lowest += delta < 0 ? -1 : 0;
		run.highest += delta > 0 ? 1 : 0;
	}
	return run;
}

/* Reads the words of the run's pages from `fd` to their places in `values`. False when the file ends before. */
static bool read_kpage(int fd, const struct run *run, const uint64_t *entries, uint64_t *values)
{
	const size_t size = (run->highest - run->lowest + 1) * 8;
	uint64_t buffer[MAX_REGION_PAGES];

	if (pread(fd, buffer, size, run->lowest * 8) != (ssize_t)size)
		return false;
	for (unsigned int i = run->first; i < run->end; i++)
		values[i] = buffer[(entries[i] & PM_PFRAME_MASK) - run->lowest];
	return true;
}

static void append_masked(const uint64_t *values, uint64_t mask)
{
	uint64_t *out = transcript_append(__builtin_popcountll(mask) * 8);

	for (; mask; mask &= mask - 1)
		*out++ = values[__builtin_ctzll(mask)];
}

/* Returns the mask of the pages whose words it appended. */
static uint64_t append_kpage(const uint64_t *entries, uint64_t present, unsigned int pages)
{
	uint64_t flags[MAX_REGION_PAGES];
	uint64_t counts[MAX_REGION_PAGES];
	uint64_t mask = 0;
	struct run run;

	for (unsigned int i = 0; i < pages; i = run.end) {
		if (!(present & 1ull << i)) {
			run.end = i + 1;
			continue;
		}
		run = find_run(entries, present, i, pages);
		/* Frame 0: the kernel hides the PFN from us. */
		if (run.lowest && read_kpage(kpageflags, &run, entries, flags) &&
		    read_kpage(kpagecount, &run, entries, counts))
			for (unsigned int k = i; k < run.end; k++)
				mask |= 1ull << k;
	}
	append_masked(flags, mask);
	append_masked(counts, mask);
	return mask;
}

/* Returns the mask of the pages whose words it appended. A present page may be unreadable (PROT_NONE). */
static uint64_t append_words(unsigned int region, uint64_t present, unsigned int pages)
{
	const uint64_t start = region_address(region, 0);
	uint64_t *const words = transcript_append(__builtin_popcountll(present) * 16);
	/* Volatile: they must have their values after the guard's longjmp. */
	uint64_t *volatile out = words;
	volatile uint64_t left = present;
	volatile uint64_t mask = 0;

	while (left) {
		if (GUARD(start, start + pages * PAGE_BYTES)) {
			while (left) {
				const unsigned int page = __builtin_ctzll(left);
				const volatile uint64_t *at = (uint64_t *)(start + page * PAGE_BYTES);

				out[0] = at[0];
				out[1] = at[PAGE_WORDS - 1];
				out += 2;
				mask |= 1ull << page;
				left &= left - 1;
			}
			guard_off();
		} else {
			left &= left - 1;
		}
	}
	transcript_trim(words, __builtin_popcountll(mask) * 16);
	return mask;
}

static void append_snapshot(unsigned int region, unsigned int device)
{
	const unsigned int pages = program.header.pages[region];
	struct snapshot_record *record = transcript_append(sizeof(*record));
	struct hmm_dmirror_cmd cmd = {
		.addr = region_address(region, 0),
		.ptr = (uintptr_t)shared->bounce,
		.npages = pages,
	};

	*record = (struct snapshot_record){ .device = device };
	if (ioctl(self.device[device], HMM_DMIRROR_SNAPSHOT, &cmd)) {
		record->outcome = OUTCOME_ERRNO;
		record->code = errno;
	} else {
		record->bytes = pages;
		memcpy(transcript_append(pages), shared->bounce, pages);
	}
}

static void observe_region(unsigned int region)
{
	const uint32_t observe = program.header.observe;
	const unsigned int pages = program.header.pages[region];
	struct region_record *record = transcript_append(sizeof(*record));

	*record = (struct region_record){ .process = self.number, .region = region };
	if (observe & OBSERVE_PAGEMAP) {
		uint64_t *entries = transcript_append(pages * 8);
		uint64_t present;

		read_pagemap(entries, region, pages);
		record->pages = pages;
		present = present_pages(entries, pages);
		if (observe & OBSERVE_KPAGE)
			record->kpage_mask = append_kpage(entries, present, pages);
		if (observe & OBSERVE_WORDS)
			record->words_mask = append_words(region, present, pages);
	}
	for (unsigned int d = 0; d < MAX_DEVICES && observe & OBSERVE_SNAPSHOT; d++) {
		if (!self.own[d])
			continue;
		append_snapshot(region, d);
		record->snapshots++;
	}
	current_record()->regions++;
}

void observe_self(void)
{
	for (unsigned int r = 0; r < program.header.regions; r++)
		observe_region(r);
}
