// SPDX-License-Identifier: GPL-2.0-only

//---
/* /proc/PID/pagemap: fs/proc/task_mmu.c */
#define PM_FRAME		((1ull << 55) - 1)
#define PM_TYPE			0x1full			/* of an entry that is not present */
#define PM_SOFT_DIRTY		(1ull << 55)
#define PM_EXCLUSIVE		(1ull << 56)
#define PM_UFFD_WP		(1ull << 57)
#define PM_FILE			(1ull << 61)
#define PM_SWAP			(1ull << 62)
#define PM_PRESENT		(1ull << 63)
#define PM_UNEXPECTED		(1ull << 58 | 3ull << 59 | PM_FILE)	/* guard, unused, file */

static uint64_t pagemap(uint64_t addr)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), addr / PAGE * sizeof(entry)) != sizeof(entry))
		cannot("/proc/self/pagemap: %s", strerror(errno));
	close(fd);
	return entry;
}

//---
/* Device-exclusive entries have two types here, the second for what mprotect() has made read-only. */
static uint64_t with_one_exclusive_type(uint64_t entry)
{
	const bool second = (entry & (PM_PRESENT | PM_SWAP)) == PM_SWAP && (entry & PM_TYPE) == SWP_DEVICE_EXCLUSIVE + 1;

	return second ? entry - 1 : entry;
}

//---
/* The PFN, or the device page number, behind an address; NO_FRAME where there is none. */
static uint64_t frame_at(uint64_t addr)
{
	const uint64_t entry = pagemap(addr);

	if (entry & PM_PRESENT)
		return entry & PM_FRAME;
	return entry & PM_SWAP ? (entry & PM_FRAME) >> 5 : NO_FRAME;
}

//---
static void check_bits(const char *what, uint64_t seen, uint64_t mask, uint64_t expected)
{
	if ((seen & mask) != expected)
		failed(what, "expected %#llx, seen %#llx", (unsigned long long)expected,
		       (unsigned long long)(seen & mask));
}

//---
static void check_number(const char *what, uint64_t seen, uint64_t expected)
{
	if (seen != expected)
		failed(what, "expected %llu, seen %llu", (unsigned long long)expected, (unsigned long long)seen);
}

//---
static void check_same(const char *what, uint64_t seen, uint64_t expected)
{
	if (seen != expected || seen == NO_FRAME)
		failed(what, "expected page %#llx, seen %#llx", (unsigned long long)expected,
		       (unsigned long long)seen);
}

//---
static void check_different(const char *what, uint64_t seen, uint64_t other)
{
	if (seen == other)
		failed(what, "expected a page of its own, seen %#llx as well", (unsigned long long)seen);
}

//---
/*
 * That a device page is in a chunk of its minor. Loading test_hmm names the first chunk of each device, one after the
 * other; a later chunk belongs to the private device whose count it continues. Once two could be meant, or a RELEASE has
 * made a device begin anew, either will do.
 */
static void check_chunk(const char *what, uint64_t seen, int minor)
{
	const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct { unsigned long start, end; } chunk, firsts[4] = { 0 };
	int total, named = 0, nodes = 0, counts[2] = { 0 };
	bool known = false, inside = false, unclear = false;
	char record[2048];
	ssize_t length;

	do
		snprintf(record, sizeof(record), "/dev/hmm_dmirror%d", nodes);
	while (!access(record, F_OK) && ++nodes < 4);
	while ((length = read(fd, record, sizeof(record) - 1)) > 0 || (length < 0 && errno == EPIPE)) {
		char *text;
		bool hit;

		if (length <= 0)
			continue;
		record[length] = '\0';
		if (strstr(record, "HMM test module loaded")) {
			chunk = firsts[4 - nodes + minor];
			known = named >= nodes;
			inside = chunk.start <= seen && seen < chunk.end;
			counts[0] = counts[1] = 1;
			unclear = false;
			continue;
		}
		text = strstr(record, "added new 256 MB chunk (total ");
		if (!text || sscanf(text, "added new 256 MB chunk (total %d", &total) != 1)
			continue;
		text = strstr(text, "[0x");
		if (!text || sscanf(text, "[0x%lx 0x%lx)", &chunk.start, &chunk.end) != 2)
			continue;
		if (total == 1) {
			memmove(firsts, firsts + 1, 3 * sizeof(firsts[0]));
			firsts[3] = chunk;
			named++;
		}
		hit = chunk.start <= seen && seen < chunk.end;
		unclear |= total == 1 || counts[0] == counts[1];
		inside |= hit && (unclear || (minor < 2 && counts[minor] == total - 1));
		for (int i = 0; i < 2; i++)
			counts[i] += counts[i] == total - 1;
	}
	close(fd);
	if (!known)
		cannot("the kernel's log does not name the chunks of device %d any more", minor);
	if (!inside)
		failed(what, "expected a page of device %d, seen %#llx", minor, (unsigned long long)seen);
}

//---
#define KPF(name)	(1ull << KPF_##name)

//---
#define KPAGEFLAGS	"/proc/kpageflags"
#define KPAGECOUNT	"/proc/kpagecount"

//---
static void check_kpage(const char *what, const char *file, uint64_t addr, uint64_t mask, uint64_t expected)
{
	const uint64_t entry = pagemap(addr);
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t seen;

	if (fd < 0)
		cannot("%s: %s", file, strerror(errno));
	if (!(entry & PM_PRESENT))
		failed(what, "expected %#llx, seen no page", (unsigned long long)expected);
	else if (pread(fd, &seen, sizeof(seen), (entry & PM_FRAME) * sizeof(seen)) != sizeof(seen))
		failed(what, "expected %#llx, seen nothing for page %#llx", (unsigned long long)expected,
		       (unsigned long long)(entry & PM_FRAME));
	else
		check_bits(what, seen, mask, expected);
	close(fd);
}

//---
/* The first and the last word of a page, if it is there: to read one that is not would bring it. */
static void check_words(const char *what, uint64_t addr, uint64_t expected)
{
	const volatile uint64_t *words = (const uint64_t *)addr;
	uint64_t first, last;

	if (!(pagemap(addr) & PM_PRESENT)) {
		failed(what, "expected %#llx, seen no page", (unsigned long long)expected);
		return;
	}
	if (sigsetjmp(fault_jump, 0)) {
		guarded = false;
		failed(what, "expected %#llx, not readable", (unsigned long long)expected);
		return;
	}
	guarded = true;
	first = words[0];
	last = words[WORDS - 1];
	guarded = false;
	if (first != expected || last != expected)
		failed(what, "expected %#llx throughout, seen %#llx ... %#llx", (unsigned long long)expected,
		       (unsigned long long)first, (unsigned long long)last);
}

//---
/* A page that is there and must not be seen. */
static void check_unreadable(const char *what, uint64_t addr)
{
	const volatile uint64_t *words = (const uint64_t *)addr;

	if (!sigsetjmp(fault_jump, 0)) {
		guarded = true;
		failed(what, "expected to be refused, seen %#llx", (unsigned long long)words[0]);
	}
	guarded = false;
}

//---
/* Pages of the buffer, each filled with one word, which changes by `step` from page to page. */
static void check_data(unsigned int first, unsigned int pages, uint64_t expected, unsigned int step)
{
	for (unsigned int page = first; page < first + pages; page++, expected += step) {
		const uint64_t *words = (const uint64_t *)buffer + page * WORDS;

		for (unsigned int i = 0; i < WORDS; i++)
			if (words[i] != expected) {
				failed("data", "page %u of the range: expected %#llx throughout, seen %#llx in word %u",
				       page, (unsigned long long)expected, (unsigned long long)words[i], i);
				break;
			}
	}
}

//---
/* What HMM_DMIRROR_SNAPSHOT says of pages: one byte each, in the buffer. */
static int snapshot(int fd, uint64_t addr, unsigned int pages)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = addr,
		.ptr = (uintptr_t)buffer,
		.npages = pages,
	};

	return ioctl(fd, HMM_DMIRROR_SNAPSHOT, &cmd) ? errno : 0;
}

//---
static void check_bytes(const char *what, const uint8_t *expected, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		if ((uint8_t)buffer[i] != expected[i])
			failed(what, "page %u: expected 0x%02x, seen 0x%02x", i, expected[i], (uint8_t)buffer[i]);
}

//---
/* A counter of /proc/vmstat. */
static uint64_t vmstat(const char *name)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long long value;
	char line[64];

	if (!file)
		cannot("/proc/vmstat: %s", strerror(errno));
	while (fscanf(file, "%63s %llu", line, &value) == 2)
		if (!strcmp(line, name)) {
			fclose(file);
			return value;
		}
	cannot("/proc/vmstat has no %s", name);
}

//---
/* Of the whole program, whose processes have ended. */
static void check_vmstat(const char *name, uint64_t before, uint64_t expected)
{
	check_number(name, vmstat(name) - before, expected);
}

//---
/* For main(), behind the last step: by the CPU that has the processes. */
static void drain_lru_of_processes(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		cannot("CPU affinity: %s", strerror(errno));
	pin_to(test_cpu);
	drain_lru();
	if (sched_setaffinity(0, sizeof(set), &set))
		cannot("CPU affinity: %s", strerror(errno));
}

//---
/* A line of /proc/meminfo, after each CPU has told what it has counted by itself. */
static uint64_t meminfo(const char *name)
{
	const size_t length = strlen(name);
	char line[128];
	FILE *file;

	write_text("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/meminfo", "re");
	if (!file)
		cannot("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':') {
			fclose(file);
			return strtoull(line + length + 1, NULL, 10);
		}
	cannot("/proc/meminfo has no %s", name);
}

//---
static void check_meminfo(const char *name, uint64_t before, uint64_t expected)
{
	check_number(name, meminfo(name) - before, expected);
}
