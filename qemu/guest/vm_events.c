// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "shared.h"
#include "vm_events.h"

/* With what is around them in the text: no name is then a part of another. */
static const char *const names[VM_EVENTS] = {
	[VM_PGMIGRATE_SUCCESS]		= "\npgmigrate_success ",
	[VM_PGMIGRATE_FAIL]		= "\npgmigrate_fail ",
	[VM_THP_MIGRATION_SUCCESS]	= "\nthp_migration_success ",
	[VM_THP_FAULT_ALLOC]		= "\nthp_fault_alloc ",
	[VM_THP_SPLIT_PAGE]		= "\nthp_split_page ",
	[VM_THP_SPLIT_PMD]		= "\nthp_split_pmd ",
	[VM_THP_SWPOUT]			= "\nthp_swpout ",
	[VM_PSWPIN]			= "\npswpin ",
	[VM_PSWPOUT]			= "\npswpout ",
	[VM_SWPIN_ZERO]			= "\nswpin_zero ",
	[VM_SWPOUT_ZERO]		= "\nswpout_zero ",
};

static uint64_t events[VM_EVENTS];
/* `events` still are what they were behind the last program. */
static bool known;

/* The kernel writes them in the order of enum vm_event_item, which differs from version to version. */
static int read_vm_events(void)
{
	static char text[16384];

	if (read_file("/proc/vmstat", text, sizeof(text)) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_EVENTS; i++) {
		const char *number = behind(text, names[i]);

		events[i] = number ? strtoull(number, NULL, 10) : NO_VM_EVENT;
	}
	return 0;
}

int begin_vm_events(void)
{
	const bool read = !known;

	known = false;
	return read ? read_vm_events() : 0;
}

void append_vm_events(struct transcript_header *header)
{
	uint64_t *moved = transcript_append(sizeof(events));

	memcpy(moved, events, sizeof(events));
	errno = 0;
	known = !read_vm_events();
	if (!known)
		note_failure("/proc/vmstat");
	for (unsigned int i = 0; i < VM_EVENTS; i++)
		moved[i] = events[i] == NO_VM_EVENT ? NO_VM_EVENT : events[i] - moved[i];
	header->flags |= TRANSCRIPT_VM_EVENTS;
}

void forget_vm_events(void)
{
	known = false;
}
