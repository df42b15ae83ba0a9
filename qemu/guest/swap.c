// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "io.h"
#include "protocol.h"
#include "swap.h"

#define DEVICE		"/dev/zram0"
#define DISKSIZE	"/sys/block/zram0/disksize"
/* More than twice of what all regions of all processes have: a kernel that is short of swap space is in a hurry with it. */
#define SWAP_BYTES	(256u << 20)
#define SWAP_TEXT	"268435456"

_Static_assert(SWAP_BYTES > 2u * MAX_PROCESSES * MAX_REGIONS * MAX_HUGE_PAGES * PAGE_BYTES,
	       "half of the swap space is always free");

/* union swap_header of include/linux/swap.h, version 1. */
struct swap_header {
	char		boot[1024];
	uint32_t	version;
	uint32_t	last_page;
	uint32_t	bad_pages;
	char		rest[PAGE_BYTES - 1024 - 3 * sizeof(uint32_t) - 10];
	char		magic[10];
} __attribute__((packed));

_Static_assert(sizeof(struct swap_header) == PAGE_BYTES, "swap_header");

static int write_header(void)
{
	static struct swap_header header = { .version = 1, .last_page = SWAP_BYTES / PAGE_BYTES - 1 };
	const int file = open(DEVICE, O_WRONLY | O_CLOEXEC);
	bool written;

	if (file < 0)
		return -1;
	memcpy(header.magic, "SWAPSPACE2", sizeof(header.magic));
	written = pwrite(file, &header, sizeof(header), 0) == sizeof(header) && !fsync(file);
	return close(file) || !written ? -1 : 0;
}

int swap_prepare(void)
{
	static bool prepared;
	char size[32];

	if (prepared)
		return 0;
	if (read_file(DISKSIZE, size, sizeof(size)) < 0)
		return -1;
	/* It can be set once; another agent may have done so. */
	if (!strtoull(size, NULL, 10) && write_file(DISKSIZE, SWAP_TEXT))
		return -1;
	if (write_file("/proc/sys/vm/page-cluster", "0") || write_header())
		return -1;
	prepared = true;
	return 0;
}

int swap_on(void)
{
	return swapon(DEVICE, 0);
}

int swap_off(void)
{
	return swapoff(DEVICE);
}
