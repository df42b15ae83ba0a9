// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The kernel writes them in the order of enum vm_event_item, which differs from version to version. */
int read_vm_events(uint64_t values[VM_EVENTS])
{
	static char text[16384];
	static int vmstat = -1;
	size_t length = 0;
	ssize_t got;

	if (vmstat < 0)
		vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	/* A read gives a page at most. */
	while ((got = pread(vmstat, text + length, sizeof(text) - 1 - length, length)) > 0)
		length += got;
	if (got < 0)
		return -1;
	text[length] = '\0';
	for (unsigned int i = 0; i < VM_EVENTS; i++) {
		const char *line = strstr(text, names[i]);

		values[i] = line ? strtoull(line + strlen(names[i]), NULL, 10) : NO_VM_EVENT;
	}
	return 0;
}
