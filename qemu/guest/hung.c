// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "hung.h"
#include "io.h"
#include "shared.h"

static char text[STACK_BYTES_MAX];

static size_t add_file(size_t length, pid_t pid, const char *name)
{
	char path[64];
	ssize_t more;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	more = read_file(path, text + length, sizeof(text) - length);
	if (more < 0)
		more = snprintf(text + length, sizeof(text) - length, "(%s cannot be read)", name);
	return length + more;
}

/* "State:\tD (disk sleep)" of /proc/PID/status; `room` for the file. */
static const char *state_of(pid_t pid, char *room, size_t size)
{
	char path[64];
	char *state, *end;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file(path, room, size) < 0)
		return "unknown";
	state = strstr(room, "State:\t");
	if (!state)
		return "unknown";
	state += strlen("State:\t");
	end = strchr(state, '\n');
	if (end)
		*end = '\0';
	return state;
}

static void append_stack(unsigned int process, pid_t pid)
{
	static char status[4096];
	size_t length = snprintf(text, sizeof(text), "process %u, pid %d, state %s, in ", process, pid,
				 state_of(pid, status, sizeof(status)));
	uint64_t *part;

	length = add_file(length, pid, "wchan");
	text[length++] = '\n';
	length = add_file(length, pid, "stack");

	part = transcript_append(sizeof(*part));
	*part = length;
	memcpy(transcript_append(length), text, length);
}

uint32_t append_stacks(void)
{
	uint32_t count = 0;

	for (unsigned int p = 0; p < MAX_PROCESSES; p++) {
		if (shared->control.pid[p] <= 0)
			continue;
		append_stack(p, shared->control.pid[p]);
		count++;
	}
	return count;
}
