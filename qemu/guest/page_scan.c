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
struct scan_range {
	uint64_t	start;
	uint64_t	end;
	uint64_t	categories;
};

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

unsigned int append_scan(int pagemap, unsigned int region, unsigned int pages)
{
	struct scan_range ranges[MAX_HUGE_PAGES];
	const uint64_t start = region_address(region, 0);
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = start,
		.end = start + pages * PAGE_BYTES,
		.vec = (uintptr_t)ranges,
		/* The kernel makes a buffer of this size. */
		.vec_len = pages,
		.return_mask = scan_categories,
	};
	const int count = ioctl(pagemap, SCAN_REQUEST, &argument);
	struct scan_record *records;

	if (count < 0)
		fail("PAGEMAP_SCAN of region %u", region);
	records = transcript_append(count * sizeof(*records));
	for (int i = 0; i < count; i++)
		records[i] = (struct scan_record){
			.first = (ranges[i].start - start) / PAGE_BYTES,
			.count = (ranges[i].end - ranges[i].start) / PAGE_BYTES,
			.categories = ranges[i].categories,
		};
	return count;
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
		page++;
	}
}
