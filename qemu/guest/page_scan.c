// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "page_scan.h"
#include "program.h"
#include "shared.h"

/* include/uapi/linux/fs.h; the headers of the compiler may be older. */
struct scan_argument {
	uint64_t	size;
	uint64_t	flags;
	uint64_t	start;
	uint64_t	end;
	uint64_t	walk_end;
	uint64_t	vec;
	uint64_t	vec_len;
	uint64_t	max_pages;
	uint64_t	category_inverted;
	uint64_t	category_mask;
	uint64_t	category_anyof_mask;
	uint64_t	return_mask;
};

#define SCAN_REQUEST	_IOWR('f', 16, struct scan_argument)
/* PAGE_IS_WPALLOWED (bit 0) to PAGE_IS_ACCESSED (bit 9, since 7.3). */
#define MOST_CATEGORIES	((1 << 10) - 1)
#define IS_FILE		(1 << 2)
#define IS_PRESENT	(1 << 3)

uint64_t scan_categories;

void scan_probe(void)
{
	struct scan_argument argument = { .size = sizeof(argument) };
	const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	/* An empty range: only the arguments are checked. A kernel refuses categories that it does not know. */
	for (scan_categories = MOST_CATEGORIES; scan_categories; scan_categories >>= 1) {
		argument.return_mask = scan_categories;
		if (!ioctl(pagemap, SCAN_REQUEST, &argument))
			break;
	}
	close(pagemap);
}

uint32_t count_file_pages(int pagemap, uintptr_t start, uintptr_t end)
{
	struct scan_range ranges[32];
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = start & ~(PAGE_BYTES - 1),
		.end = (end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1),
		.vec = (uintptr_t)ranges,
		.vec_len = sizeof(ranges) / sizeof(ranges[0]),
		.category_mask = IS_FILE | IS_PRESENT,
		.return_mask = IS_FILE | IS_PRESENT,
	};
	uint32_t pages = 0;

	while (argument.start < argument.end) {
		const int count = ioctl(pagemap, SCAN_REQUEST, &argument);

		if (count < 0)
			fail("PAGEMAP_SCAN of the agent's own memory");
		for (int i = 0; i < count; i++)
			pages += (ranges[i].end - ranges[i].start) / PAGE_BYTES;
		argument.start = argument.walk_end;
	}
	return pages;
}

static uint64_t region_end(unsigned int region)
{
	return region_address(region, program.header.pages[region]);
}

static unsigned int pages_of_regions(void)
{
	unsigned int pages = 0;

	for (unsigned int r = 0; r < program.header.regions; r++)
		pages += program.header.pages[r];
	return pages;
}

void scan_regions(int pagemap)
{
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = region_address(0, 0),
		/* Nothing else is mapped between them. */
		.end = region_end(program.header.regions - 1),
		.vec = (uintptr_t)shared->scan.ranges,
		/* The kernel makes a buffer of this size, or of 512 if that is less. */
		.vec_len = pages_of_regions(),
		.return_mask = scan_categories,
	};
	const int count = ioctl(pagemap, SCAN_REQUEST, &argument);

	if (count < 0)
		fail("PAGEMAP_SCAN");
	shared->scan.count = count;
}

/* The first range that ends behind `address`, or the end of all. */
static const struct scan_range *range_from(uint64_t address)
{
	const struct scan_range *range = shared->scan.ranges;

	while (range < shared->scan.ranges + shared->scan.count && range->end <= address)
		range++;
	return range;
}

unsigned int append_scan(unsigned int region)
{
	const struct scan_range *first = range_from(region_address(region, 0));
	const unsigned int count = range_from(region_end(region)) - first;
	const uint64_t start = region_address(region, 0);
	struct scan_record *records = transcript_append(count * sizeof(*records));

	for (unsigned int i = 0; i < count; i++)
		records[i] = (struct scan_record){
			.first = (first[i].start - start) / PAGE_BYTES,
			.count = (first[i].end - first[i].start) / PAGE_BYTES,
			.categories = first[i].categories,
		};
	return count;
}

/* The first page from `page` on that PAGEMAP_SCAN found in a mapping: `page` itself where it was not asked. */
static unsigned int next_mapped(unsigned int region, unsigned int page, unsigned int pages)
{
	const uint64_t address = region_address(region, page);
	const struct scan_range *range;

	if (!(program.header.observe & OBSERVE_SCAN))
		return page;
	range = range_from(address);
	if (range == shared->scan.ranges + shared->scan.count || range->start >= region_end(region))
		return pages;
	return range->start > address ? page + (range->start - address) / PAGE_BYTES : page;
}

void append_mincore(unsigned int region, unsigned int pages)
{
	uint8_t *bytes = transcript_append(pages);
	unsigned int page = 0;

	memset(bytes, MINCORE_UNMAPPED, pages);
	/* It stops at the first page that is not mapped, and has written what comes before. */
	while (page < pages && mincore((void *)region_address(region, page), (pages - page) * PAGE_BYTES, bytes + page)) {
		if (errno != ENOMEM)
			fail("mincore of region %u", region);
		while (page < pages && bytes[page] != MINCORE_UNMAPPED)
			page++;
		page = next_mapped(region, page + 1, pages);
	}
}
