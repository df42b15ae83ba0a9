// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ksm.h"

/*
 * A page is merged when it is seen a second time with the same content; what lies in LRU batches after that is drained by
 * a third scan.
 */
#define SCANS		3
#define POLL_NS		500000
#define MOST_POLLS	20000

static int write_setting(const char *name, const char *value)
{
	char path[64];
	int file, result;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	result = write(file, value, strlen(value)) < 0 ? -1 : 0;
	close(file);
	return result;
}

static long full_scans(void)
{
	const int file = open("/sys/kernel/mm/ksm/full_scans", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (file < 0)
		return -1;
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return atol(text);
}

int run_ksmd(void)
{
	/* Nothing tells of a full scan but this number. */
	const struct timespec poll = { .tv_nsec = POLL_NS };
	const long before = full_scans();
	unsigned int polls = 0;

	/* All pages in one go, without a rest, and none of them skipped for its age. */
	if (before < 0 || write_setting("pages_to_scan", "100000") || write_setting("sleep_millisecs", "0") ||
	    write_setting("smart_scan", "0") || write_setting("run", "1"))
		return -1;
	while (full_scans() < before + SCANS && ++polls < MOST_POLLS)
		nanosleep(&poll, NULL);
	/* Comes back when ksmd has ended the scan that it is in. */
	if (write_setting("run", "0"))
		return -1;
	if (polls == MOST_POLLS)
		errno = ETIMEDOUT;
	return polls == MOST_POLLS ? -1 : 0;
}

int stop_ksm(void)
{
	return write_setting("run", "2") || write_setting("run", "0") ? -1 : 0;
}
