// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "protocol.h"
#include "renew.h"

/* A command on one page of ours. */
static int command(int fd, unsigned long request, void *page, void *buffer)
{
	struct hmm_dmirror_cmd cmd = { .addr = (uintptr_t)page, .ptr = (uintptr_t)buffer, .npages = 1 };

	return ioctl(fd, request, &cmd);
}

static int open_device(unsigned int device)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", device);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int log_renewal(int log, unsigned int device)
{
	char text[64];
	const int length = snprintf(text, sizeof(text), "<5>hmmdiff: device %u without memory", device);

	return write(log, text, length) < 0 ? -1 : 0;
}

int renew_devices(uint32_t devices)
{
	char *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int result = pages == MAP_FAILED || log < 0 ? -1 : 0;
	int device[MAX_DEVICES] = { -1, -1, -1, -1 };

	for (unsigned int d = 0; d < MAX_DEVICES && !result; d++) {
		if (!(devices & 1u << d))
			continue;
		device[d] = open_device(d);
		if (device[d] < 0 || command(device[d], HMM_DMIRROR_RELEASE, pages, pages + PAGE_BYTES) ||
		    log_renewal(log, d))
			result = -1;
	}
	for (unsigned int d = 0; d < MAX_DEVICES; d++) {
		if (device[d] < 0)
			continue;
		if (!result)
			result = command(device[d], HMM_DMIRROR_MIGRATE_TO_DEV, pages, pages + PAGE_BYTES);
		/* Evicts the page, which makes it free. */
		if (close(device[d]))
			result = -1;
	}
	if (log >= 0)
		close(log);
	if (pages != MAP_FAILED)
		munmap(pages, 2 * PAGE_BYTES);
	return result;
}
