// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "io.h"
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

	if (read_file("/proc/vmstat", text, sizeof(text)) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_EVENTS; i++) {
		const char *line = strstr(text, names[i]);

		values[i] = line ? strtoull(line + strlen(names[i]), NULL, 10) : NO_VM_EVENT;
	}
	return 0;
}
