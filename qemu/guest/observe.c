// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "guard.h"
#include "observe.h"
#include "pages.h"
#include "page_scan.h"
#include "process.h"
#include "program.h"
#include "shared.h"
#include "smaps.h"
#include "status.h"

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

static void read_pagemap(unsigned int region, unsigned int pages)
{
	const off_t offset = region_address(region, 0) / PAGE_BYTES * 8;
	ssize_t length;

	errno = 0;
	length = pread(self.pagemap, shared->pages.pagemap, pages * 8, offset);
	if (length != pages * 8)
		fail("pagemap of region %u: %zd bytes, not %u", region, length, pages * 8);
}

static bool is_present(unsigned int page)
{
	return shared->pages.pagemap[page] & PM_PRESENT;
}

static uint64_t pfn_of(unsigned int page)
{
	return shared->pages.pagemap[page] & PM_PFRAME_MASK;
}

/* So many words that nobody wants cost less than a second pread(). */
#define MAX_GAP		16

/*
 * The present pages from `first` on whose PFNs are close to each other: the page allocator hands them out like that, and one
 * pread() then serves them all. Never spans a page that is not present, whose number is no PFN.
 */
struct run {
	unsigned int	first;
	unsigned int	end;
	uint64_t	lowest;
	uint64_t	highest;
};

static struct run find_run(unsigned int first, unsigned int pages)
{
	struct run run = { first, first + 1, pfn_of(first), pfn_of(first) };

	for (; run.end < pages && is_present(run.end); run.end++) {
		const uint64_t pfn = pfn_of(run.end);
		const uint64_t lowest = pfn < run.lowest ? pfn : run.lowest;
		const uint64_t highest = pfn > run.highest ? pfn : run.highest;

		if (highest - lowest > run.highest - run.lowest + 1 + MAX_GAP || highest - lowest >= MAX_HUGE_PAGES)
			break;
		run.lowest = lowest;
		run.highest = highest;
	}
	return run;
}

/* Reads the words of the run's pages from `fd` to their places in `values`. False when the file ends before. */
static bool read_kpage(int fd, const struct run *run, uint64_t *values)
{
	const size_t size = (run->highest - run->lowest + 1) * 8;
	const uint64_t *buffer = shared->pages.buffer;

	if (pread(fd, shared->pages.buffer, size, run->lowest * 8) != (ssize_t)size)
		return false;
	for (unsigned int i = run->first; i < run->end; i++)
		values[i] = buffer[pfn_of(i) - run->lowest];
	return true;
}

static void read_kpages(unsigned int pages)
{
	struct pages *p = &shared->pages;
	struct run run;

	for (unsigned int i = 0; i < pages; i = run.end) {
		if (!is_present(i)) {
			run.end = i + 1;
			continue;
		}
		run = find_run(i, pages);
		/* Frame 0: the kernel hides the PFN from us. */
		if (run.lowest && read_kpage(kpageflags, &run, p->kpageflags) &&
		    read_kpage(kpagecount, &run, p->kpagecount))
			memset(p->has_kpage + i, true, run.end - i);
	}
}

/* include/uapi/linux/kernel-page-flags.h: KPF_HUGE */
#define KPF_HUGE	(1ull << 17)

/* What is as unreadable as page `page`: of hugetlb, all that the entry maps. */
static unsigned int end_of_entry(unsigned int page)
{
	const struct pages *p = &shared->pages;

	if (p->has_kpage[page] && p->kpageflags[page] & KPF_HUGE)
		return page - page % PMD_PAGES + PMD_PAGES;
	return page + 1;
}

/* A present page may be unreadable (PROT_NONE). */
static void read_words(unsigned int region, unsigned int pages)
{
	const uint64_t start = region_address(region, 0);
	struct pages *p = &shared->pages;
	/* Volatile: it must have its value after the guard's longjmp. */
	volatile unsigned int next = 0;

	while (next < pages) {
		if (GUARD(start, start + pages * PAGE_BYTES)) {
			for (; next < pages; next++) {
				const volatile uint64_t *at = (uint64_t *)(start + next * PAGE_BYTES);

				if (!is_present(next))
					continue;
				p->first_word[next] = at[0];
				p->last_word[next] = at[PAGE_WORDS - 1];
				p->has_words[next] = true;
			}
			guard_off();
		} else {
			next = end_of_entry(next);
		}
	}
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

/* Most steps change little: what is as the process told it the last time is not told again. */
static void leave_out_if_as_before(unsigned int region, struct region_record *record)
{
	struct stretch *observed = &shared->control.observed[self.number][region];
	const size_t at = (uint8_t *)record - shared->transcript;
	const size_t bytes = shared->control.used - at;

	if (observed->bytes != bytes || memcmp(shared->transcript + observed->at, record, bytes)) {
		*observed = (struct stretch){ at, bytes };
		return;
	}
	*record = (struct region_record){
		.process = self.number,
		.region = region,
		.flags = REGION_AS_BEFORE,
	};
	transcript_trim(record, sizeof(*record));
}

static void observe_region(unsigned int region)
{
	const uint32_t observe = program.header.observe;
	const unsigned int pages = program.header.pages[region];
	struct region_record *record = transcript_append(sizeof(*record));

	*record = (struct region_record){ .process = self.number, .region = region };
	if (observe & OBSERVE_PAGEMAP) {
		memset(shared->pages.has_kpage, false, pages);
		memset(shared->pages.has_words, false, pages);
		read_pagemap(region, pages);
		if (observe & OBSERVE_KPAGE)
			read_kpages(pages);
		if (observe & OBSERVE_WORDS)
			read_words(region, pages);
		if (is_huge(pages)) {
			record->huge_pages = pages;
			append_columns(pages);
		} else {
			record->pages = pages;
			append_masked(record, pages);
		}
	}
	if (observe & OBSERVE_MINCORE) {
		append_mincore(region, pages);
		record->flags |= REGION_HAS_MINCORE;
	}
	if (observe & OBSERVE_SCAN) {
		record->ranges = append_scan(region);
		record->flags |= REGION_HAS_SCAN;
	}
	for (unsigned int d = 0; d < MAX_DEVICES && observe & OBSERVE_SNAPSHOT; d++) {
		if (!self.own[d])
			continue;
		append_snapshot(region, d);
		record->snapshots++;
	}
	leave_out_if_as_before(region, record);
}

void observe_self(void)
{
	const uint32_t observe = program.header.observe;
	struct process_record *record = transcript_append(sizeof(*record));

	*record = (struct process_record){ .process = self.number };
	if (observe & OBSERVE_STATUS) {
		if (!rss_wanted()) {
			record->flags |= PROCESS_WITHOUT_RSS;
		} else if (!status_wanted()) {
			record->rss.anon = read_rss_anon();
			record->flags |= PROCESS_ANON_ALONE;
		} else {
			record->rss = read_rss();
			record->flags |= shmem_wanted() ? PROCESS_HAS_SHMEM : 0;
		}
	}
	/* Before the pages are read, which makes them young. */
	if (smaps_wanted())
		append_smaps(record);
	if (observe & (OBSERVE_PAGEMAP | OBSERVE_SCAN) && self.pagemap < 0)
		self.pagemap = open_own("/proc/self/pagemap");
	if (observe & OBSERVE_SCAN)
		scan_regions(self.pagemap);
	for (unsigned int r = 0; r < program.header.regions; r++) {
		observe_region(r);
		record->regions++;
	}
	current_record()->processes++;
}
