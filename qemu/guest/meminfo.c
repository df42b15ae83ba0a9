// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "meminfo.h"
#include "ops.h"
#include "others.h"
#include "program.h"
#include "shared.h"
#include "smaps.h"

/* Reading them costs several times what smaps do: each CPU is waited for. */
#define GAUGES_EVERY	8

/* In the order of the file. */
static const char *const names[GAUGES] = {
	[GAUGE_SWAP_CACHED]	= "\nSwapCached:",
	[GAUGE_UNEVICTABLE]	= "\nUnevictable:",
	[GAUGE_MLOCKED]		= "\nMlocked:",
	[GAUGE_SWAP_FREE]	= "\nSwapFree:",
	[GAUGE_ANON_PAGES]	= "\nAnonPages:",
	[GAUGE_SHMEM]		= "\nShmem:",
	[GAUGE_ANON_HUGE_PAGES]	= "\nAnonHugePages:",
	[GAUGE_HUGE_PAGES_FREE]	= "\nHugePages_Free:",
};

/* Of the last reading; `others` were the same before it and behind it, or AnonPages is not known. */
static int32_t gauges[GAUGES];
static struct others others;
/* They still are what they were behind the last program. */
static bool known;

static int read_gauges(int32_t values[GAUGES])
{
	char text[4096];
	const char *at = text;

	if (shared->control.settles)
		drain_lru();
	/* Each CPU keeps some of what it has counted to itself (mm/vmstat.c, vmstat_refresh), if there are several. */
	if (write_file("/proc/sys/vm/stat_refresh", "1") && errno != ENOENT)
		return -1;
	if (read_file("/proc/meminfo", text, sizeof(text)) < 0)
		return -1;
	for (unsigned int i = 0; i < GAUGES; i++) {
		const char *number = behind(at, names[i]);

		values[i] = number ? strtol(number, NULL, 10) : NO_GAUGE;
		at = number ? number : at;
	}
	if (values[GAUGE_SHMEM] != NO_GAUGE)
		values[GAUGE_SHMEM] -= shared_pages() * (PAGE_BYTES / 1024);
	return 0;
}

/* With AnonPages, which is exact if no process of a program lives, and no other has changed it meanwhile. */
static int read_all(void)
{
	struct others before;

	if (read_others(&before) || read_gauges(gauges) || read_others(&others))
		return -1;
	if (!same_others(&before, &others))
		gauges[GAUGE_ANON_PAGES] = NO_GAUGE;
	return 0;
}

int begin_gauges(int32_t values[GAUGES])
{
	if (!known) {
		/* Else pages that the program before has left in the CPU's batches go while this one runs. */
		drain_lru();
		if (read_all())
			return -1;
	}
	known = false;
	memcpy(values, gauges, sizeof(gauges));
	return 0;
}

bool gauges_wanted(void)
{
	const uint32_t steps = shared->control.step + 1;

	return program.header.observe & OBSERVE_MEMINFO && dear_wanted() &&
	       (steps % GAUGES_EVERY == 0 || steps == program.header.steps);
}

static void append_moved(int32_t *moved, const int32_t before[GAUGES])
{
	for (unsigned int i = 0; i < GAUGES; i++)
		moved[i] = gauges[i] == NO_GAUGE || before[i] == NO_GAUGE ? NO_GAUGE : gauges[i] - before[i];
}

int append_gauges(const int32_t before[GAUGES])
{
	int32_t *moved = transcript_append(GAUGES * sizeof(*moved));

	if (read_gauges(gauges))
		return -1;
	/* Processes share pages of the agent, until one of them writes to them. */
	gauges[GAUGE_ANON_PAGES] = NO_GAUGE;
	append_moved(moved, before);
	return 0;
}

int end_gauges(const int32_t before[GAUGES])
{
	int32_t *moved = transcript_append(GAUGES * sizeof(*moved));
	const struct others then = others;

	known = !read_all();
	if (!known)
		return -1;
	append_moved(moved, before);
	if (!same_others(&then, &others))
		moved[GAUGE_ANON_PAGES] = NO_GAUGE;
	return 0;
}

void forget_gauges(void)
{
	known = false;
}
