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
 * That a device page is in a chunk of its minor. The log names the chunks of one minor after the other when test_hmm
 * is loaded; a later one belongs to the device whose count it continues.
 */
static void check_chunk(const char *what, uint64_t seen, int minor)
{
	const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned long first, end;
	int total, counts[4] = { 0 }, devices = 0, nodes = 0;
	bool known = false, inside = false;
	char record[2048];
	ssize_t length;

	do
		snprintf(record, sizeof(record), "/dev/hmm_dmirror%d", nodes);
	while (!access(record, F_OK) && ++nodes < 4);
	while ((length = read(fd, record, sizeof(record) - 1)) > 0 || (length < 0 && errno == EPIPE)) {
		char *text;
		int device = -1;

		if (length <= 0)
			continue;
		record[length] = '\0';
		text = strstr(record, "added new 256 MB chunk (total ");
		if (!text || sscanf(text, "added new 256 MB chunk (total %d", &total) != 1)
			continue;
		text = strstr(text, "[0x");
		if (!text || sscanf(text, "[0x%lx 0x%lx)", &first, &end) != 2)
			continue;
		/* As many devices as there are nodes: one more is the first of a module that was loaded anew. */
		if (total == 1 && devices == nodes) {
			devices = 0;
			known = inside = false;
			memset(counts, 0, sizeof(counts));
		}
		devices += total == 1;
		for (int i = total == 1 ? devices - 1 : 0; i < devices; i++) {
			if (counts[i] != total - 1)
				continue;
			/* Where two could be meant, either will do. */
			known |= i == minor;
			inside |= i == minor && first <= seen && seen < end;
			device = device < 0 ? i : device;
		}
		if (device >= 0)
			counts[device] = total;
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
			failed(what, "page %u: expected %#04x, seen %#04x", i, expected[i], (uint8_t)buffer[i]);
}
