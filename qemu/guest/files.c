// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
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
		return MAP_PRIVATE;
	case BACKING_SHARED_FILE:
	case BACKING_SHARED_SHMEM:
		return MAP_SHARED;
	}
	fail("unknown backing of region %u", region);
}

int map_file(unsigned int region)
{
	return self.file[region];
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
		file = memfd_create("hmmdiff", MFD_CLOEXEC);
		if (file < 0 || ftruncate(file, program.header.pages[region] * PAGE_BYTES))
			fail("memfd of region %u", region);
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
