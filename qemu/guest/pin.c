// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pin.h"
#include "process.h"
#include "shared.h"

/* mm/gup_test.h, which is no header for user space. */
struct pin_longterm_test {
	uint64_t	addr;
	uint64_t	size;
	uint32_t	flags;
};
#define PIN_LONGTERM_TEST_START			_IOW('g', 7, struct pin_longterm_test)
#define PIN_LONGTERM_TEST_STOP			_IO('g', 8)
#define PIN_LONGTERM_TEST_FLAG_USE_WRITE	1

/* Far from the numbers that a program's own descriptors get, which decide in which order exit closes them. */
#define LOWEST_DESCRIPTOR	100

static int gup_test(void)
{
	int file;

	if (self.gup_test >= 0)
		return self.gup_test;
	file = open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail("/sys/kernel/debug/gup_test");
	self.gup_test = fcntl(file, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);
	if (self.gup_test < 0)
		fail("fcntl(F_DUPFD_CLOEXEC)");
	close(file);
	return self.gup_test;
}

int pin_pages(uint64_t start, size_t size)
{
	struct pin_longterm_test test = {
		.addr = start,
		.size = size,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};

	return ioctl(gup_test(), PIN_LONGTERM_TEST_START, &test);
}

int unpin_pages(void)
{
	return ioctl(gup_test(), PIN_LONGTERM_TEST_STOP);
}
