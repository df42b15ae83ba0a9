// SPDX-License-Identifier: GPL-2.0-only

//---
static int uffd = -1;

//---
/* A child does not inherit what is registered. */
static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	const int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	/* Its number is far from those of the other files, which the kernel closes in the order of their numbers. */
	uffd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	close(fd);
	if (uffd < 0)
		cannot("userfaultfd: %s", strerror(errno));
	return ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
}

//---
static int uffd_register(uint64_t addr, unsigned int pages, uint64_t mode)
{
	struct uffdio_register arg = { .range = { addr, pages * PAGE }, .mode = mode };

	return ioctl(uffd, UFFDIO_REGISTER, &arg) ? errno : 0;
}

//---
static int uffd_unregister(uint64_t addr, unsigned int pages)
{
	struct uffdio_range range = { addr, pages * PAGE };

	return ioctl(uffd, UFFDIO_UNREGISTER, &range) ? errno : 0;
}

//---
static int uffd_protect(uint64_t addr, unsigned int pages, uint64_t mode)
{
	struct uffdio_writeprotect arg = { .range = { addr, pages * PAGE }, .mode = mode };

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &arg) ? errno : 0;
}

//---
static int uffd_zeropage(uint64_t addr, unsigned int pages)
{
	struct uffdio_zeropage arg = { .range = { addr, pages * PAGE } };

	return ioctl(uffd, UFFDIO_ZEROPAGE, &arg) ? errno : 0;
}

//---
/* From the buffer. */
static int uffd_copy(uint64_t addr, unsigned int pages, uint64_t mode)
{
	struct uffdio_copy arg = { .dst = addr, .src = (uintptr_t)buffer, .len = pages * PAGE, .mode = mode };

	return ioctl(uffd, UFFDIO_COPY, &arg) ? errno : 0;
}

//---
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64	dst, src, len, mode;
	__s64	move;
};
#define UFFDIO_MOVE	_IOWR(UFFDIO, 0x05, struct uffdio_move)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES	2
#endif

static int uffd_move(uint64_t addr, unsigned int pages, uint64_t to, uint64_t mode)
{
	struct uffdio_move arg = { .dst = to, .src = addr, .len = pages * PAGE, .mode = mode };

	return ioctl(uffd, UFFDIO_MOVE, &arg) ? errno : 0;
}

//---
#define HANDLER_STACK	65536

/* Shares everything with the thread that may be waiting for it in the kernel. */
static int answer(void *unused)
{
	struct uffd_msg message;

	(void)unused;
	while (read(uffd, &message, sizeof(message)) == sizeof(message)) {
		const uint64_t addr = message.arg.pagefault.address & -PAGE;

		shared->messages++;
		if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			uffd_protect(addr, 1, 0);
		else
			uffd_zeropage(addr, 1);
	}
	return 0;
}

static int uffd_open_with_handler(void)
{
	static char stack[HANDLER_STACK] __attribute__((aligned(PAGE)));
	const int err = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	if (err)
		return err;
	/* Touched now, so that it does not show in RSS when it is used. */
	memset(stack, 0, sizeof(stack));
	return clone(answer, stack + sizeof(stack),
		     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) < 0 ? errno : 0;
}
