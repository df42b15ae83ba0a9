// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "io.h"
#include "ops.h"
#include "process.h"
#include "program.h"
#include "shared.h"

bool has_files(void)
{
	for (unsigned int r = 0; r < program.header.regions; r++)
		if (program.header.backing[r] != BACKING_ANONYMOUS)
			return true;
	return false;
}

int map_flags(unsigned int region)
{
	switch ((enum region_backing)program.header.backing[region]) {
	case BACKING_ANONYMOUS:
		return MAP_PRIVATE | MAP_ANONYMOUS;
	case BACKING_PRIVATE_FILE:
	case BACKING_PRIVATE_SHMEM:
	case BACKING_PRIVATE_FILLED_SHMEM:
	case BACKING_PRIVATE_HUGETLB:
		return MAP_PRIVATE;
	case BACKING_SHARED_FILE:
	case BACKING_SHARED_SHMEM:
	case BACKING_SHARED_HUGETLB:
		return MAP_SHARED;
	}
	fail("unknown backing of region %u", region);
}

int map_file(unsigned int region)
{
	return self.file[region];
}

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* What all processes can have of all regions at once, what is reserved for them, and what they may have pinned and unmapped. */
static unsigned int huge_pages_needed(void)
{
	unsigned int processes = 1, pmds = 0;

	for (unsigned int r = 0; r < program.header.regions; r++)
		if (is_hugetlb(program.header.backing[r]))
			pmds += program.header.pages[r] / PMD_PAGES;
	for (unsigned int i = 0; i < program.header.steps; i++)
		processes += program.steps[i].op == OP_FORK;
	return 3 * processes * pmds;
}

int reserve_huge_pages(void)
{
	const unsigned int needed = huge_pages_needed();
	char text[16];
	unsigned long got;

	if (!needed)
		return 0;
	snprintf(text, sizeof(text), "%u", needed);
	if (write_file(NR_HUGEPAGES, text))
		return -1;
	/* No stdio: what it allocates would be the processes' as well. */
	if (read_file(NR_HUGEPAGES, text, sizeof(text)) < 0)
		return -1;
	got = strtoul(text, NULL, 10);
	if (got < needed)
		errno = ENOMEM;
	return got < needed ? -1 : 0;
}

int return_huge_pages(void)
{
	return huge_pages_needed() ? write_file(NR_HUGEPAGES, "0") : 0;
}

/* A file of ramfs that has no name, on a mount that has no place. */
static int open_on_ramfs(void)
{
	const int fs = syscall(SYS_fsopen, "ramfs", FSOPEN_CLOEXEC);
	int mount, file;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fail("ramfs");
	mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		fail("mount of ramfs");
	close(fs);
	file = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		fail("file on ramfs");
	close(mount);
	return file;
}

static void fill(int file, unsigned int region)
{
	uint64_t *words = (uint64_t *)shared->bounce;

	for (unsigned int page = 0; page < program.header.pages[region]; page++) {
		for (unsigned int w = 0; w < PAGE_WORDS; w++)
			words[w] = file_word(region, page);
		if (write(file, words, PAGE_BYTES) != PAGE_BYTES)
			fail("write to the file of region %u", region);
	}
}

static int make(unsigned int region)
{
	const uint8_t backing = program.header.backing[region];
	int file;

	if (backing == BACKING_PRIVATE_FILE || backing == BACKING_SHARED_FILE) {
		file = open_on_ramfs();
		fill(file, region);
	} else {
		file = memfd_create("hmmdiff", MFD_CLOEXEC | (is_hugetlb(backing) ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
		if (file < 0 || ftruncate(file, program.header.pages[region] * PAGE_BYTES))
			fail("memfd of region %u", region);
		if (backing == BACKING_PRIVATE_FILLED_SHMEM)
			fill(file, region);
	}
	return keep_out_of_the_way(file);
}

void files_make(void)
{
	for (unsigned int r = 0; r < program.header.regions; r++)
		self.file[r] = program.header.backing[r] == BACKING_ANONYMOUS ? -1 : make(r);
	if (!has_files())
		return;
	/* What was written is on the LRU lists from the start, and what will be when it is looked at. */
	shared->control.settles = true;
	drain_lru();
}
