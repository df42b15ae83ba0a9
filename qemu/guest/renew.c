// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "protocol.h"
#include "renew.h"

#define PRIVATE_DEVICES	2

/* A command on one page of ours. The file is closed again, which evicts what went to the device. */
static int command(unsigned int device, unsigned long request, void *page, void *buffer)
{
	struct hmm_dmirror_cmd cmd = { .addr = (uintptr_t)page, .ptr = (uintptr_t)buffer, .npages = 1 };
	char path[32];
	int result;
	int fd;

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = ioctl(fd, request, &cmd);
	return close(fd) ? -1 : result;
}

static int log_renewal(void)
{
	static const char text[] = "<5>hmmdiff: devices without memory";
	const int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (log < 0)
		return -1;
	written = write(log, text, strlen(text));
	return close(log) || written < 0 ? -1 : 0;
}

int renew_devices(void)
{
	char *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result = pages == MAP_FAILED ? -1 : 0;

	for (unsigned int d = 0; d < PRIVATE_DEVICES && !result; d++)
		result = command(d, HMM_DMIRROR_RELEASE, pages, pages + PAGE_BYTES);
	if (!result)
		result = log_renewal();
	for (unsigned int d = 0; d < PRIVATE_DEVICES && !result; d++)
		result = command(d, HMM_DMIRROR_MIGRATE_TO_DEV, pages, pages + PAGE_BYTES);
	if (pages != MAP_FAILED)
		munmap(pages, 2 * PAGE_BYTES);
	return result;
}
