// SPDX-License-Identifier: GPL-2.0-only

//---
/* Looks at pages as hmmdiff's agent does after each step, which makes the entries of present pages young. */
static void read_ends(uint64_t addr)
{
	const volatile uint64_t *words = (const uint64_t *)addr;

	if (!sigsetjmp(fault_jump, 0)) {
		guarded = true;
		(void)words[0];
		(void)words[WORDS - 1];
	}
	guarded = false;
}

static void read_kpage(const char *file, uint64_t frame)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t value;

	if (fd < 0 || pread(fd, &value, sizeof(value), frame * sizeof(value)) < 0)
		cannot("%s: %s", file, strerror(errno));
	close(fd);
}

static void observe(uint64_t addr, unsigned int pages)
{
	struct scan_range *ranges = malloc(pages * sizeof(*ranges));
	const int smaps = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	unsigned char in_core;
	char text[1024];

	if (!ranges || smaps < 0)
		cannot("/proc/self/smaps: %s", strerror(errno));
	for (unsigned int i = 0; i < pages; i++) {
		const uint64_t entry = pagemap(addr + i * PAGE);

		mincore((void *)(addr + i * PAGE), PAGE, &in_core);
		if (!(entry & PM_PRESENT))
			continue;
		read_kpage(KPAGEFLAGS, entry & PM_FRAME);
		read_kpage(KPAGECOUNT, entry & PM_FRAME);
		read_ends(addr + i * PAGE);
	}
	scan(addr, pages, ranges);
	free(ranges);
	while (read(smaps, text, sizeof(text)) > 0)
		;
	close(smaps);
}
