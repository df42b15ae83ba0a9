// SPDX-License-Identifier: GPL-2.0-only

//---
static void check_mincore(const char *what, uint64_t addr, int expected)
{
	unsigned char byte;
	const int seen = mincore((void *)addr, PAGE, &byte) ? NOT_MAPPED : byte;

	if (seen != expected)
		failed(what, "expected %d, seen %d (%d: not mapped)", expected, seen, NOT_MAPPED);
}

//---
/* include/uapi/linux/fs.h; the compiler's own headers may be older. */
#define PAGE_IS_WPALLOWED	(1 << 0)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PAGE_IS_FILE		(1 << 2)
#define PAGE_IS_PRESENT		(1 << 3)
#define PAGE_IS_SWAPPED		(1 << 4)
#define PAGE_IS_PFNZERO		(1 << 5)
#define PAGE_IS_HUGE		(1 << 6)
#define PAGE_IS_SOFT_DIRTY	(1 << 7)
#define PAGE_IS_GUARD		(1 << 8)
#define PAGE_IS_ACCESSED	(1 << 9)

/* struct page_region and struct pm_scan_arg; in what is expected, pages of the region */
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

/* PAGEMAP_SCAN, asked for everything. */
static int scan(uint64_t addr, unsigned int pages, struct scan_range *ranges)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = addr,
		.end = addr + pages * PAGE,
		.vec = (uintptr_t)ranges,
		.vec_len = pages,
	};
	int count = -1;

	/* A kernel refuses categories that it does not know. */
	for (argument.return_mask = 2 * PAGE_IS_ACCESSED - 1; count < 0 && argument.return_mask;
	     argument.return_mask >>= 1)
		count = ioctl(fd, _IOWR('f', 16, struct scan_argument), &argument);
	if (count < 0)
		cannot("PAGEMAP_SCAN: %s", strerror(errno));
	close(fd);
	return count;
}

//---
static void check_scan(const char *what, uint64_t addr, unsigned int pages, const struct scan_range *expected,
		       int count)
{
	struct scan_range *ranges = (struct scan_range *)buffer;
	const int seen = scan(addr, pages, ranges);

	for (int i = 0; i < count && i < seen; i++)
		if (ranges[i].start != addr + expected[i].start * PAGE || ranges[i].end != addr + expected[i].end * PAGE ||
		    ranges[i].categories != expected[i].categories)
			failed(what, "expected pages %d..%d of %#x, seen %d..%d of %#x", (int)expected[i].start,
			       (int)expected[i].end - 1, (int)expected[i].categories,
			       (int)((ranges[i].start - addr) / PAGE), (int)((ranges[i].end - addr) / PAGE) - 1,
			       (int)ranges[i].categories);
	if (seen != count)
		failed(what, "expected %d ranges, seen %d", count, seen);
}

//---
/* A line of /proc/self/status, in KiB. */
static long status_line(const char *name)
{
	static char text[4096];
	const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const ssize_t length = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	const char *line;

	if (length < 0)
		cannot("/proc/self/status: %s", strerror(errno));
	close(fd);
	text[length] = '\0';
	line = strstr(text, name);
	if (!line)
		cannot("/proc/self/status has no %s", name);
	return strtol(line + strlen(name) + 1, NULL, 10);
}

static long base_anon, base_swap;

/* What the process has beside the regions: all of its own memory, there from now on. */
static void note_status(void)
{
	if (mlockall(MCL_CURRENT) || munlockall())
		cannot("mlockall: %s", strerror(errno));
	base_anon = status_line("RssAnon");
	base_swap = status_line("VmSwap");
}

//---
static void check_status(const char *what, const char *name, long expected)
{
	const long seen = status_line(name) - (strcmp(name, "RssAnon") ? base_swap : base_anon);

	if (seen != expected)
		failed(what, "expected %ld KiB beside what was there before the first step, seen %ld", expected, seen);
}
