// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "shared.h"
#include "userfault.h"

/* Not in every header. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif

#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64	dst, src, len, mode;
	__s64	move;
};
#define UFFDIO_MOVE				_IOWR(UFFDIO, 0x05, struct uffdio_move)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES	(1 << 1)
#endif

/* Far from the numbers that a program's own descriptors get, which decide in which order exit closes them. */
#define LOWEST_DESCRIPTOR	101

#define STACK_BYTES	(64 * 1024)

static char stack[STACK_BYTES] __attribute__((aligned(4096)));

/*
 * A thread that shares all with the one that may be waiting for it in the kernel, errno too: it does nothing but these
 * calls, and a failure leaves the program hung.
 */
static int answer(void *unused)
{
	struct uffd_msg message;

	(void)unused;
	while (read(self.userfault, &message, sizeof(message)) == sizeof(message)) {
		const uint64_t page = message.arg.pagefault.address & -(uint64_t)PAGE_BYTES;

		atomic_fetch_add(&shared->control.messages, 1);
		if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			userfault_protect(page, PAGE_BYTES, false);
		else
			userfault_zeropage(page, PAGE_BYTES);
	}
	return 0;
}

/* It ends with its process; a fork does not copy it. */
static int start_handler(void)
{
	/* Touched before the regions are looked at: a stack that grows would show in RSS. */
	memset(stack, 0, sizeof(stack));
	return clone(answer, stack + sizeof(stack),
		     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) < 0 ? -1 : 0;
}

int userfault_open(enum userfault_mode mode)
{
	static const uint64_t features[] = {
		[USERFAULT_SIGBUS] = UFFD_FEATURE_SIGBUS,
		[USERFAULT_HANDLER] = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		[USERFAULT_UNPOPULATED] = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = features[mode],
	};
	const int low = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (low < 0)
		fail("userfaultfd");
	self.userfault = fcntl(low, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);
	if (self.userfault < 0)
		fail("fcntl(F_DUPFD_CLOEXEC)");
	close(low);
	if (ioctl(self.userfault, UFFDIO_API, &api))
		return -1;
	return mode == USERFAULT_HANDLER ? start_handler() : 0;
}

int userfault_register(uint64_t start, size_t size, unsigned int kind)
{
	struct uffdio_register arg = {
		.range = { start, size },
		.mode = (kind & USERFAULT_MISSING ? UFFDIO_REGISTER_MODE_MISSING : 0) |
			(kind & USERFAULT_WP ? UFFDIO_REGISTER_MODE_WP : 0),
	};

	return ioctl(self.userfault, UFFDIO_REGISTER, &arg);
}

int userfault_unregister(uint64_t start, size_t size)
{
	struct uffdio_range range = { start, size };

	return ioctl(self.userfault, UFFDIO_UNREGISTER, &range);
}

int userfault_protect(uint64_t start, size_t size, _Bool protect)
{
	struct uffdio_writeprotect arg = {
		.range = { start, size },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(self.userfault, UFFDIO_WRITEPROTECT, &arg);
}

int userfault_zeropage(uint64_t start, size_t size)
{
	struct uffdio_zeropage arg = { .range = { start, size } };

	return ioctl(self.userfault, UFFDIO_ZEROPAGE, &arg);
}

int userfault_copy(uint64_t start, const void *from, size_t size, _Bool protect)
{
	struct uffdio_copy arg = {
		.dst = start,
		.src = (uintptr_t)from,
		.len = size,
		.mode = protect ? UFFDIO_COPY_MODE_WP : 0,
	};

	return ioctl(self.userfault, UFFDIO_COPY, &arg);
}

int userfault_move(uint64_t from, uint64_t to, size_t size, _Bool holes)
{
	struct uffdio_move arg = {
		.dst = to,
		.src = from,
		.len = size,
		.mode = holes ? UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES : 0,
	};

	return ioctl(self.userfault, UFFDIO_MOVE, &arg);
}
