// SPDX-License-Identifier: GPL-2.0-only
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "io.h"
#include "page_scan.h"
#include "process.h"
#include "program.h"
#include "shared.h"
#include "smaps.h"
#include "status.h"

/* statm at each step would cost 0.05 of the bare run's time, and status five times as much. */
#define RSS_PER_PROGRAM		8
#define RSS_OF_MANY_STEPS	4
#define MANY_STEPS		16
#define STATUS_EVERY		2

/* More than the deepest calls of this agent need. */
#define STACK_BYTES	(128 * 1024)

/* The program, and of it what is data and bss, as the linker names them. */
extern char __executable_start[], __data_start[], _end[];

static void touch(uintptr_t start, uintptr_t end)
{
	/* A write, since a page that was only read may still be of the file. */
	for (uintptr_t at = start; at < end; at = (at | (PAGE_BYTES - 1)) + 1)
		*(volatile char *)at = *(volatile char *)at;
}

void touch_own_memory(void)
{
	volatile char stack[STACK_BYTES];

	touch((uintptr_t)stack, (uintptr_t)stack + sizeof(stack));
	touch((uintptr_t)__data_start, (uintptr_t)_end);
}

static bool is_due(unsigned int every)
{
	return dear_wanted() || (shared->control.steps + 1) % every == 0;
}

static bool has_many_steps(void)
{
	return program.header.steps > MANY_STEPS;
}

static unsigned int rss_every(void)
{
	return program.header.steps / (has_many_steps() ? RSS_OF_MANY_STEPS : RSS_PER_PROGRAM) + 1;
}

bool rss_wanted(void)
{
	return is_due(rss_every());
}

bool status_wanted(void)
{
	const unsigned int every = rss_every() * (has_many_steps() ? STATUS_EVERY : 1);

	return shared->control.anonymous ? smaps_wanted() : is_due(every);
}

bool shmem_wanted(void)
{
	return scan_categories && !shared->control.anonymous;
}

/* The number of the line `name`, which must be in `*text`; moves `*text` behind it. */
static uint32_t take_line(char **text, const char *name)
{
	const char *number = behind(*text, name);

	errno = 0;
	if (!number)
		fail("/proc/self/status has no %s", name);
	return strtoul(number, text, 10);
}

/* Reads a file of /proc/self, whose text one read gives; `*fd` stays open for the next time. */
static void read_own(int *fd, const char *path, char *text, size_t size)
{
	ssize_t length;

	if (*fd < 0)
		*fd = open_own(path);
	length = pread(*fd, text, size - 1, 0);
	if (length < 0)
		fail("%s", path);
	text[length] = '\0';
}

/*
 * Pages of the program's file that this process maps: more and more of them, as it comes to need them. Between its segments the
 * kernel may have put the vDSO.
 */
static uint32_t pages_of_program(void)
{
	const Elf64_Phdr *segment = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const unsigned long segments = getauxval(AT_PHNUM);
	uint32_t pages = 0;

	if (self.pagemap < 0)
		self.pagemap = open_own("/proc/self/pagemap");
	for (unsigned long i = 0; i < segments; i++) {
		/* A static PIE is linked to address 0. */
		const uintptr_t start = (uintptr_t)__executable_start + segment[i].p_vaddr;

		if (segment[i].p_type == PT_LOAD)
			pages += count_file_pages(self.pagemap, start, start + segment[i].p_memsz);
	}
	return pages;
}

/* Reads /proc/self/status. Returns how many pages of RssShmem are the agent's own: its program lies in a tmpfs. */
static uint32_t read_status(char *text, size_t size)
{
	uint32_t pages;

	if (!shmem_wanted()) {
		read_own(&self.status, "/proc/self/status", text, size);
		return 0;
	}
	do {
		pages = pages_of_program();
		read_own(&self.status, "/proc/self/status", text, size);
	} while (pages_of_program() != pages);
	/* Nothing of the shared memory was touched since. */
	return pages + count_file_pages(self.pagemap, (uintptr_t)shared, (uintptr_t)(shared + 1));
}

struct rss read_rss(void)
{
	char text[4096];
	const uint32_t own = read_status(text, sizeof(text));
	char *at = text;
	struct rss rss;

	rss.anon = take_line(&at, "\nRssAnon:");
	rss.file = take_line(&at, "\nRssFile:");
	rss.shmem = take_line(&at, "\nRssShmem:") - own * (PAGE_BYTES / 1024);
	rss.swap = take_line(&at, "\nVmSwap:");
	return rss;
}

struct rss read_base(void)
{
	struct base *base = &shared->base;

	/* What of them a process begins with differs from program to program. */
	if (!shared->control.anonymous)
		return read_rss();
	if (!base->known)
		*base = (struct base){ .rss = read_rss(), .known = true };
	return base->rss;
}

/* fs/proc/array.c, proc_pid_statm(): size, resident, shared (of files and shmem), in pages; it counts as task_mem() does. */
uint32_t read_rss_anon(void)
{
	unsigned long resident, shared_pages;
	char text[128];
	char *at;

	read_own(&self.statm, "/proc/self/statm", text, sizeof(text));
	strtoul(text, &at, 10);
	resident = strtoul(at, &at, 10);
	shared_pages = strtoul(at, &at, 10);
	return (resident - shared_pages) * (PAGE_BYTES / 1024);
}
