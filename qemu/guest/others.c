// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <unistd.h>

#include "io.h"
#include "others.h"

#define INIT	1

static int read_of(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_file(path, text, size) < 0 ? -1 : 0;
}

/* Adds what is told of a process. Returns its parent, -1 with errno. */
static pid_t add(pid_t pid, struct others *others)
{
	unsigned long minor, major;
	const char *anon, *rest;
	char text[4096];
	int parent;

	/* What is counted at once is in status alone (get_mm_counter_sum). */
	if (read_of(pid, "status", text, sizeof(text)))
		return -1;
	anon = behind(text, "\nRssAnon:");
	others->anon += anon ? strtoul(anon, NULL, 10) : 0;
	if (read_of(pid, "stat", text, sizeof(text)))
		return -1;
	/* Behind the name, which may have anything in it. */
	rest = strrchr(text, ')');
	errno = EINVAL;
	if (!rest || sscanf(rest, ") %*c %d %*d %*d %*d %*d %*u %lu %*u %lu", &parent, &minor, &major) != 3)
		return -1;
	others->faults += minor + major;
	return parent;
}

int read_others(struct others *others)
{
	struct sysinfo info;
	pid_t pid;

	*others = (struct others){ 0 };
	/* Its own faults are copies of what it shared with a process that is gone. */
	pid = add(getpid(), others);
	others->faults = 0;
	while (pid > INIT)
		pid = add(pid, others);
	if (pid < 0 || sysinfo(&info))
		return -1;
	others->tasks = info.procs;
	return 0;
}
