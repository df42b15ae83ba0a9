// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device memory that goes away under live pages: see lifecycle.h. Each kind of page has a block of 2 MiB of its own:
 * written and untouched single pages, a huge page, a huge page of which half was unmapped on the device, and pages
 * that a child shares.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "lifecycle.h"

#define PAGE		4096ul
#define BLOCK		(2ul << 20)
#define SINGLE_PAGES	32ul
#define BLOCK_PAGES	(BLOCK / PAGE)
#define PRIVATE_DEVICES	2

#define PAGEMAP_PRESENT	(1ull << 63)

enum kind { WRITTEN, UNTOUCHED, HUGE, HALF_UNMAPPED, SHARED, KINDS };

struct device {
	int fd;
	unsigned char *base;	/* KINDS blocks, aligned to their size */
	pid_t child;
	int child_socket;
};

static unsigned int failures;
static unsigned char copied[BLOCK];

static void fail(unsigned int round, const char *what, int kind)
{
	failures++;
	printf("round %u, block %d: %s (%s)\n", round, kind, what, strerror(errno));
	fflush(stdout);
}

static unsigned long pages_of(enum kind kind)
{
	return kind == HUGE || kind == HALF_UNMAPPED ? BLOCK_PAGES : SINGLE_PAGES;
}

/* Pages that are still mapped once the round is set up. */
static unsigned long mapped_pages(enum kind kind)
{
	return kind == HALF_UNMAPPED ? BLOCK_PAGES / 2 : pages_of(kind);
}

static uint64_t *page_at(const struct device *device, enum kind kind, unsigned long page)
{
	return (uint64_t *)(device->base + kind * BLOCK + page * PAGE);
}

static uint64_t word_of(unsigned int round, enum kind kind, unsigned long page)
{
	return kind == UNTOUCHED ? 0 : (uint64_t)(round + 1) << 32 | (uint64_t)kind << 16 | (page + 1);
}

static bool map_blocks(struct device *device)
{
	const size_t length = (KINDS + 1) * BLOCK;
	unsigned char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return false;
	device->base = (unsigned char *)(((uintptr_t)map + BLOCK - 1) & ~(BLOCK - 1));
	/* What lies before and behind is not needed; without it the blocks are the whole mapping. */
	if (device->base > map)
		munmap(map, device->base - map);
	munmap(device->base + KINDS * BLOCK, map + length - (device->base + KINDS * BLOCK));
	madvise(device->base + HUGE * BLOCK, 2 * BLOCK, MADV_HUGEPAGE);
	return true;
}

static int command(int fd, unsigned long request, const void *address, unsigned long pages)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)address,
		.ptr = (uintptr_t)copied,
		.npages = pages,
	};

	return ioctl(fd, request, &cmd);
}

static void migrate_all(struct device *device, unsigned int round)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const unsigned long pages = pages_of(kind);

		for (unsigned long page = 0; kind != UNTOUCHED && page < pages; page++)
			*page_at(device, kind, page) = word_of(round, kind, page);
		if (command(device->fd, HMM_DMIRROR_MIGRATE_TO_DEV, page_at(device, kind, 0), pages))
			fail(round, "MIGRATE_TO_DEV", kind);
	}
	if (munmap(page_at(device, HALF_UNMAPPED, BLOCK_PAGES / 2), BLOCK / 2))
		fail(round, "munmap", HALF_UNMAPPED);
}

static bool same_words(const struct device *device, unsigned int round, enum kind kind)
{
	for (unsigned long page = 0; page < mapped_pages(kind); page++)
		if (*page_at(device, kind, page) != word_of(round, kind, page))
			return false;
	return true;
}

/* The child holds its share of the pages until it is told, and then says by its status whether they are right. */
static void start_child(struct device *device, unsigned int round)
{
	int ends[2];
	char ready;

	device->child = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		fail(round, "socketpair", SHARED);
		return;
	}
	device->child = fork();
	if (device->child == 0) {
		char go;

		/* An inherited descriptor would keep the device open. */
		close(device->fd);
		if (write(ends[0], "", 1) != 1 || read(ends[0], &go, 1) != 1)
			_exit(2);
		_exit(same_words(device, round, SHARED) ? 0 : 1);
	}
	close(ends[0]);
	device->child_socket = ends[1];
	if (device->child < 0 || read(ends[1], &ready, 1) != 1)
		fail(round, "the child does not start", SHARED);
}

static void end_child(struct device *device, unsigned int round)
{
	int status = 0;

	if (device->child < 0)
		return;
	/* Not by closing the socket: the other device's child has inherited this end. */
	if (write(device->child_socket, "", 1) != 1)
		fail(round, "write", SHARED);
	close(device->child_socket);
	if (waitpid(device->child, &status, 0) != device->child || status != 0)
		fail(round, "the child reads something else", SHARED);
}

/* Nothing may be on the device any more, before anything is touched. */
static void check_evicted(const struct device *device, unsigned int round, int pagemap)
{
	static uint64_t entries[BLOCK_PAGES];

	for (enum kind kind = 0; kind < KINDS; kind++) {
		const unsigned long pages = mapped_pages(kind);
		const off_t offset = (uintptr_t)page_at(device, kind, 0) / PAGE * sizeof(entries[0]);

		if (pread(pagemap, entries, pages * sizeof(entries[0]), offset) != (ssize_t)(pages * sizeof(entries[0]))) {
			fail(round, "pagemap", kind);
			continue;
		}
		for (unsigned long page = 0; page < pages; page++) {
			if (entries[page] & PAGEMAP_PRESENT)
				continue;
			errno = 0;
			fail(round, "a page is not back in system memory", kind);
			break;
		}
	}
}

static void one_round(unsigned int round, int pagemap)
{
	static const char *const paths[PRIVATE_DEVICES] = { "/dev/hmm_dmirror0", "/dev/hmm_dmirror1" };
	struct device devices[PRIVATE_DEVICES];
	const bool release = round % 2 == 0;

	for (int i = 0; i < PRIVATE_DEVICES; i++) {
		struct device *device = &devices[i];

		device->fd = open(paths[i], O_RDWR | O_CLOEXEC);
		if (device->fd < 0 || !map_blocks(device)) {
			fail(round, paths[i], -1);
			exit(1);
		}
		migrate_all(device, round);
		start_child(device, round);
		if (release && command(device->fd, HMM_DMIRROR_RELEASE, device->base, 1))
			fail(round, "RELEASE", -1);
		/* After a RELEASE this evicts nothing; without it, everything. */
		close(device->fd);
		check_evicted(device, round, pagemap);
		for (enum kind kind = 0; kind < KINDS; kind++) {
			errno = 0;
			if (!same_words(device, round, kind))
				fail(round, "contents changed", kind);
		}
	}
	for (int i = 0; i < PRIVATE_DEVICES; i++) {
		end_child(&devices[i], round);
		munmap(devices[i].base, KINDS * BLOCK);
	}
}

unsigned int lifecycle(unsigned int rounds)
{
	const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	failures = 0;
	for (unsigned int round = 0; round < rounds; round++)
		one_round(round, pagemap);
	close(pagemap);
	return failures;
}
