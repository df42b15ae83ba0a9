// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "program.h"
#include "shared.h"
#include "smaps.h"

/* Names of the fields, in the order of SMAPS_FIELDS and of the file; rollup has all, smaps all but Pss_Anon to _Shmem. */
static const char *const names[] = {
	"Size:", "Rss:", "Pss:", "Pss_Dirty:", "Pss_Anon:", "Pss_File:", "Pss_Shmem:", "Shared_Clean:",
	"Shared_Dirty:", "Private_Clean:", "Private_Dirty:", "Referenced:", "Anonymous:", "KSM:", "LazyFree:",
	"AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:",
	"SwapPss:", "Locked:", "THPeligible:",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == SMAPS_FIELDS, "the fields of struct smaps_fields");

bool dear_wanted(void)
{
	const uint32_t every = program.header.smaps_every;
	const uint32_t step = shared->control.step;

	return !every || (step + 1) % every == 0 || step + 1 == program.header.steps;
}

bool smaps_wanted(void)
{
	return program.header.observe & OBSERVE_SMAPS && dear_wanted();
}

/* Returns the end of the line. */
static char *line_end(char *line)
{
	char *end = strchr(line, '\n');

	errno = 0;
	if (!end)
		fail("/proc/self/smaps ends within a line");
	return end;
}

/* Takes the fields of one mapping, or of the rollup, and its flags if it has some; returns what follows. */
static char *take_fields(char *line, struct smaps_fields *fields, char *vm_flags)
{
	unsigned int next = 0;

	/* The first line of a mapping begins with a number, those of its fields with a letter in upper case. */
	while (*line >= 'A' && *line <= 'Z') {
		char *end = line_end(line);

		*end = '\0';
		for (unsigned int i = next; i < SMAPS_FIELDS; i++) {
			const size_t length = strlen(names[i]);

			if (strncmp(line, names[i], length))
				continue;
			fields->kib[i] = strtoul(line + length, NULL, 10);
			next = i + 1;
			break;
		}
		if (vm_flags && !strncmp(line, "VmFlags: ", 9))
			strncpy(vm_flags, line + 9, VM_FLAGS_BYTES);
		line = end + 1;
	}
	return line;
}

static bool in_regions(uint64_t start)
{
	return start >= REGION_BASE && start < REGION_END;
}

/* Reads a file of /proc from `length` on, `most` bytes at once. Returns the length of what is read; `length`: the end. */
static size_t read_more(int fd, char *text, size_t length, size_t size, size_t most)
{
	const ssize_t more = pread(fd, text + length, size - 1 - length < most ? size - 1 - length : most, length);

	if (more < 0)
		fail("/proc/self/smaps");
	text[length + more] = '\0';
	return length + more;
}

/* Reads a file of /proc from its start to its end. */
static void read_text(int fd, char *text, size_t size)
{
	size_t length = 0;
	size_t before;

	do {
		before = length;
		length = read_more(fd, text, before, size, size);
	} while (length > before);
}

/* The first line of a mapping behind all regions, in what was read from `from` on; NULL while there is none. */
static char *find_end_of_regions(char *from)
{
	for (char *line = from; line; line = strchr(line, '\n')) {
		char *at;

		line += *line == '\n';
		if (strtoull(line, &at, 16) >= REGION_END && *at == '-')
			return line;
	}
	return NULL;
}

/*
 * Less than the text of a mapping: the kernel goes on with mappings until it has as much as is asked for, and those of
 * the agent, which all lie behind the regions (it is a static PIE), are dear and not looked at.
 */
#define SMAPS_PIECE	512

/* Reads the mappings of regions. */
static void read_regions(int fd, char *text, size_t size)
{
	size_t length = 0;
	size_t before;
	char *end = NULL;

	do {
		/* Of the last line there may be a part. */
		char *line = length ? memrchr(text, '\n', length) : NULL;

		before = length;
		length = read_more(fd, text, before, size, SMAPS_PIECE);
		end = find_end_of_regions(line ? line : text);
	} while (length > before && !end);
	if (end)
		*end = '\0';
}

static void add_fields(struct smaps_fields *sum, const struct smaps_fields *fields)
{
	for (unsigned int i = 0; i < SMAPS_FIELDS; i++)
		sum->kib[i] += fields->kib[i];
}

/* Appends the mappings of regions; those of the agent itself are summed up in `others`. */
static void take_mappings(char *line, struct process_record *record, struct smaps_fields *others)
{
	while (*line) {
		struct smaps_record mapping = { 0 };
		char *at = line;

		mapping.start = strtoull(at, &at, 16);
		mapping.end = strtoull(at + 1, &at, 16);
		line = take_fields(line_end(line) + 1, &mapping.fields, mapping.vm_flags);
		if (in_regions(mapping.start)) {
			*(struct smaps_record *)transcript_append(sizeof(mapping)) = mapping;
			record->mappings++;
		} else {
			add_fields(others, &mapping.fields);
		}
	}
}

static void append_rollup(char *text, struct process_record *record, const struct smaps_fields *others)
{
	struct smaps_fields *rollup = transcript_append(sizeof(*rollup));

	memset(rollup, 0, sizeof(*rollup));
	take_fields(line_end(text) + 1, rollup, NULL);
	*(struct smaps_fields *)transcript_append(sizeof(*others)) = *others;
	record->flags |= PROCESS_HAS_ROLLUP;
}

void append_smaps(struct process_record *record)
{
	const bool rollup = program.header.observe & OBSERVE_ROLLUP && shared->control.step + 1 == program.header.steps;
	struct smaps_fields others = { 0 };

	if (self.smaps < 0)
		self.smaps = open_own("/proc/self/smaps");
	if (rollup && self.rollup < 0)
		self.rollup = open_own("/proc/self/smaps_rollup");
	if (!rollup)
		read_regions(self.smaps, shared->smaps, sizeof(shared->smaps));
	/* Twice for the rollup: the first time maps what the second needs, so that between the two files nothing changes. */
	for (int round = 0; rollup && round < 2; round++) {
		read_text(self.smaps, shared->smaps, sizeof(shared->smaps));
		read_text(self.rollup, shared->rollup, sizeof(shared->rollup));
	}
	take_mappings(shared->smaps, record, &others);
	if (rollup)
		append_rollup(shared->rollup, record, &others);
	record->flags |= PROCESS_HAS_SMAPS;
}
