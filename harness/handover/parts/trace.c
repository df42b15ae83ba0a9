// SPDX-License-Identifier: GPL-2.0-only

//---
#define TRACE	"/sys/kernel/tracing/instances/hmmdiff-repro"

static bool write_trace(const char *file, int flags, const char *text)
{
	char path[128];
	bool written;
	int fd;

	snprintf(path, sizeof(path), TRACE "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

static void trace_close(void)
{
	rmdir(TRACE);
}

static void trace_open(void)
{
	/* One of a program that was killed is as good. */
	if (mkdir(TRACE, 0700) && errno != EEXIST)
		cannot(TRACE ": %s (is tracefs mounted?)", strerror(errno));
	atexit(trace_close);
	write_trace("buffer_size_kb", 0, "1024");
	if (!write_trace("events/migrate/enable", 0, "1"))
		cannot("this kernel has no migrate events");
	/* Only with huge pages in the kernel. */
	write_trace("events/thp/set_migration_pmd/enable", 0, "1");
	write_trace("events/thp/remove_migration_pmd/enable", 0, "1");
#if defined(__x86_64__)
	if (!write_trace("events/exceptions/page_fault_user/enable", 0, "1"))
		cannot("this kernel has no page_fault_user event");
#endif
}

//---
static void trace_start(void)
{
	if (!write_trace("trace", O_TRUNC, "") || !write_trace("tracing_on", 0, "1"))
		cannot(TRACE "/trace: %s", strerror(errno));
}

//---
/* Before anybody looks at pages. */
static void trace_stop(void)
{
	if (!write_trace("tracing_on", 0, "0"))
		cannot(TRACE "/tracing_on: %s", strerror(errno));
}

//---
/* The PFN, or the device page number, of a page-table entry. */
static uint64_t entry_frame(uint64_t entry)
{
#if defined(__x86_64__)
	/* L1TF: inverted unless present (arch/x86/include/asm/pgtable_64.h and pgtable-invert.h); bit 8: PROT_NONE */
	if (!(entry & 1))
		return (~entry >> (entry & 1 << 8 ? 12 : 9)) & PFN_MASK;
#elif defined(__aarch64__)
	/* arch/arm64/include/asm/pgtable.h has PFN and offset in one place. */
#endif
	return (entry >> 12) & PFN_MASK;
}

//---
struct event {
	const char	*name;
	uint64_t	addr;
	int		order;
	uint64_t	entry;		/* without its PFN; of a page fault the error code */
	uint64_t	mask;		/* bits of the entry that are no PFN */
	int		frame;		/* in shared->frame; -1: any */
	const char	*place;
};

static bool parse_event(const char *text, const char *name, struct event *event)
{
	unsigned long addr = 0, entry = 0;
	int order = 0;

	if (!strcmp(name, "page_fault_user")) {
		const char *code = strstr(text, "error_code=");

		if (!code || sscanf(text, "address=%lx", &addr) != 1 || sscanf(code, "error_code=%lx", &entry) != 1)
			return false;
	} else if (strncmp(name, "mm_", 3)) {
		if (sscanf(text, "addr=%lx, %*[a-z]=%lx order=%d", &addr, &entry, &order) < 2)
			return false;
	}
	*event = (struct event){ .name = name, .addr = addr, .entry = entry, .order = order };
	/* Events without an address should not be there at all. */
	return !addr || (addr >= REGIONS && addr < REGIONS_END);
}

/* The next event on a page of the regions. */
static bool next_event(FILE *file, struct event *event)
{
	static const char *const names[] = {
		"set_migration_pte", "remove_migration_pte", "set_migration_pmd", "remove_migration_pmd",
		"page_fault_user", "mm_migrate_pages_start", "mm_migrate_pages",
	};
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			char pattern[40];
			const char *at;

			snprintf(pattern, sizeof(pattern), ": %s: ", names[i]);
			at = strstr(line, pattern);
			if (at && parse_event(at + strlen(pattern), names[i], event))
				return true;
		}
	}
	return false;
}

static void check_event(const struct event *expected, const struct event *seen)
{
	uint64_t *frame = expected->frame < 0 ? NULL : &shared->frame[expected->frame];

	if (strcmp(seen->name, expected->name) || seen->addr != expected->addr || seen->order != expected->order)
		failed("trace", "expected %s of %s, seen %s at %#llx order %d", expected->name, expected->place,
		       seen->name, (unsigned long long)seen->addr, seen->order);
	else if ((seen->entry & expected->mask) != expected->entry)
		failed("trace", "%s of %s: expected entry %#llx, seen %#llx (but for the PFN)", seen->name,
		       expected->place, (unsigned long long)expected->entry,
		       (unsigned long long)(seen->entry & expected->mask));
	else if (frame && *frame == NO_FRAME)
		/* A page that was never at rest: only that all events name the same can be told. */
		*frame = entry_frame(seen->entry);
	else if (frame && *frame != entry_frame(seen->entry))
		failed("trace", "%s of %s: expected page %#llx, seen %#llx", seen->name, expected->place,
		       (unsigned long long)*frame, (unsigned long long)entry_frame(seen->entry));
}

/* The events between trace_start() and trace_stop(). */
static void check_trace(const struct event *expected, unsigned int count)
{
	FILE *file = fopen(TRACE "/trace", "re");
	struct event seen;
	unsigned int i = 0;

	if (!file)
		cannot(TRACE "/trace: %s", strerror(errno));
	for (; next_event(file, &seen); i++) {
		if (i < count)
			check_event(&expected[i], &seen);
		else
			failed("trace", "expected %u events, seen one more: %s at %#llx", count, seen.name,
			       (unsigned long long)seen.addr);
	}
	if (i < count)
		failed("trace", "expected %s of %s, seen only %u of %u events", expected[i].name,
		       expected[i].place, i, count);
	fclose(file);
}
