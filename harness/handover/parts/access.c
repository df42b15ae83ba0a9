// SPDX-License-Identifier: GPL-2.0-only

//---
static _Thread_local sigjmp_buf fault_jump;
static _Thread_local volatile uint64_t fault_address;
static _Thread_local volatile bool guarded;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	fault_address = (uintptr_t)info->si_addr;
	if (guarded)
		siglongjmp(fault_jump, number);
	/* The access is made again on return, and then kills. */
	signal(number, SIG_DFL);
}

static void catch_faults(void)
{
	const struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	if (sigaction(SIGSEGV, &action, NULL) || sigaction(SIGBUS, &action, NULL))
		cannot("sigaction: %s", strerror(errno));
}

//---
/* Reads pages, the lowest first, into the buffer. */
static int cpu_read(uint64_t addr, unsigned int pages)
{
	const volatile uint64_t *from = (const uint64_t *)addr;
	uint64_t *to = (uint64_t *)buffer;
	int number = sigsetjmp(fault_jump, 0);

	if (!number) {
		guarded = true;
		for (unsigned int i = 0; i < pages * WORDS; i++)
			to[i] = from[i];
	}
	guarded = false;
	return number ? FAULT(number, (fault_address - addr) / PAGE) : 0;
}

//---
/* The word that a step fills a page with: different for each step, region and page. */
#define TOKEN(step, region, page)	(((step) + 1ull) << 32 | ((region) + 1) << 16 | ((page) + 1))

//---
/* Not inlined: what siglongjmp() comes back to keeps nothing of it. */
static void __attribute__((noinline)) fill(volatile void *to, unsigned int pages, uint64_t token)
{
	volatile uint64_t *words = to;

	for (unsigned int i = 0; i < pages; i++, token++)
		for (unsigned int w = 0; w < WORDS; w++)
			*words++ = token;
}

//---
static int cpu_write(uint64_t addr, unsigned int pages, uint64_t token)
{
	int number = sigsetjmp(fault_jump, 0);

	if (!number) {
		guarded = true;
		fill((void *)addr, pages, token);
	}
	guarded = false;
	return number ? FAULT(number, (fault_address - addr) / PAGE) : 0;
}

//---
/* The soft-dirty bits of the process: Documentation/admin-guide/mm/soft-dirty.rst */
static int clear_refs(void)
{
	const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, "4", 1) != 1)
		err = errno;
	close(fd);
	return err;
}

//---
static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		cannot("CPU affinity: %s", strerror(errno));
}

//---
/*
 * What the advice leaves in this CPU's batches (mm/folio.c) is done when the step is over: MADV_COLD begins with
 * lru_add_drain().
 */
static void drain_lru(void)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));

	madvise(page, sizeof(page), MADV_COLD);
}

//---
/* Everything under test is done by one CPU. main() has the others, to tell when that hangs. */
static cpu_set_t cpus;
static int test_cpu;

/*
 * For main(), before it forks the first process: drains all CPUs' batches, the processes' last. Of pages that wait in
 * another CPU's, processes that cease to share one would drain their own at a write (wp_can_reuse_anon_folio).
 */
static void come_to_test_cpu(void)
{
	if (!CPU_COUNT(&cpus) && sched_getaffinity(0, sizeof(cpus), &cpus))
		cannot("CPU affinity: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus)) {
			pin_to(cpu);
			drain_lru();
			test_cpu = cpu;
		}
}

/* For the first process: main() has done by now whatever it does on this CPU. */
static void send_main_away(void)
{
	cpu_set_t others = cpus;

	CPU_CLR(test_cpu, &others);
	if (CPU_COUNT(&others) && sched_setaffinity(getppid(), sizeof(others), &others))
		cannot("CPU affinity: %s", strerror(errno));
}

//---
/* khugepaged wakes for the first mm that it is to look after, and sleeps as long as there is any: main()'s. */
static void occupy_khugepaged(void)
{
	const size_t size = 4ul << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		cannot("mmap: %s", strerror(errno));
	if (!madvise(memory, size, MADV_HUGEPAGE)) {
		/* khugepaged_enter_vma() in a fault where a huge page fits. */
		memory[size / 4] = 1;
		memory[size / 4 * 3] = 1;
	}
	munmap(memory, size);
}

//---
/* Huge pages where a program asks for them, and nowhere else; nothing collapses or splits them unasked. */
static void set_up_huge_pages(void)
{
	static const char *const settings[][2] = {
		{ "enabled", "madvise" },
		{ "defrag", "madvise" },
		{ "use_zero_page", "1" },
		{ "shrink_underused", "0" },
		{ "khugepaged/max_ptes_none", "0" },
		{ "khugepaged/max_ptes_swap", "0" },
		{ "khugepaged/max_ptes_shared", "0" },
		{ "khugepaged/pages_to_scan", "1" },
		{ "khugepaged/scan_sleep_millisecs", "4294967295" },
		{ "khugepaged/alloc_sleep_millisecs", "4294967295" },
	};

	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char path[128];
		int fd;

		snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/%s", settings[i][0]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		/* Not every kernel has all of them. */
		if (fd < 0)
			continue;
		if (write(fd, settings[i][1], strlen(settings[i][1])) < 0)
			cannot("%s: %s", path, strerror(errno));
		close(fd);
	}
	occupy_khugepaged();
}

//---
static void write_text(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		cannot("%s: %s", path, strerror(errno));
	close(fd);
}

//---
#define SWAP_DEVICE	"/dev/zram0"
#define SWAP_MIB	256

/* A zram device (CONFIG_ZRAM) that nobody uses, with the header of swap space as mkswap writes it; no readahead. */
static void make_swap_device(void)
{
	static uint32_t header[PAGE / 4] = { [256] = 1, [257] = (SWAP_MIB << 20) / PAGE - 1 };
	int fd;

	swapoff(SWAP_DEVICE);
	write_text("/sys/block/zram0/reset", "1");
	write_text("/sys/block/zram0/disksize", "256M");
	write_text("/proc/sys/vm/page-cluster", "0");
	memcpy((char *)header + PAGE - 10, "SWAPSPACE2", 10);
	fd = open(SWAP_DEVICE, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, header, PAGE) != (ssize_t)PAGE || fsync(fd))
		cannot(SWAP_DEVICE ": %s", strerror(errno));
	close(fd);
}

//---
static int remap(uint64_t from, size_t old_pages, size_t pages, int flags, uint64_t to)
{
	return mremap((void *)from, old_pages * PAGE, pages * PAGE, flags, (void *)to) == MAP_FAILED ? errno : 0;
}

//---
/* Pins for long, as a device's driver would: CONFIG_GUP_TEST (mm/gup_test.h, which is no header for user space). */
struct pin_longterm_test {
	uint64_t addr;
	uint64_t size;
	uint32_t flags;
};
#define PIN_LONGTERM_TEST_START			_IOW('g', 7, struct pin_longterm_test)
#define PIN_LONGTERM_TEST_STOP			_IO('g', 8)
#define PIN_LONGTERM_TEST_FLAG_USE_WRITE	1

//---
static int gup_test_fd = -1;

//---
/* Its number is far from those of the other files, which the kernel closes in the order of their numbers. */
static int gup_test(void)
{
	int fd;

	if (gup_test_fd >= 0)
		return gup_test_fd;
	fd = open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC);
	gup_test_fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	if (gup_test_fd < 0)
		cannot("/sys/kernel/debug/gup_test: %s", strerror(errno));
	close(fd);
	return gup_test_fd;
}

//---
static int pin_pages(uint64_t addr, unsigned int pages)
{
	struct pin_longterm_test test = { .addr = addr, .size = pages * PAGE, .flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE };

	return ioctl(gup_test(), PIN_LONGTERM_TEST_START, &test) ? errno : 0;
}

//---
static int unpin_pages(void)
{
	return ioctl(gup_test(), PIN_LONGTERM_TEST_STOP) ? errno : 0;
}

//---
/* In a child: what is pinned belongs to the parent. */
static void forget_pins(void)
{
	if (gup_test_fd >= 0)
		close(gup_test_fd);
	gup_test_fd = -1;
}
