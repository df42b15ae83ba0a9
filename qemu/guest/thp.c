// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "io.h"
#include "thp.h"

#define SYSFS	"/sys/kernel/mm/transparent_hugepage/"

/* Directories and files that some kernels lack may be missing. */
static const struct setting {
	const char	*file;
	const char	*value;
} settings[] = {
	{ SYSFS "enabled",				"madvise" },
	/* Direct compaction at a fault, so that it finds its 2 MiB. */
	{ SYSFS "defrag",				"madvise" },
	{ SYSFS "use_zero_page",			"1" },
	/* No split of what is mostly zeroes behind the programs' backs. */
	{ SYSFS "shrink_underused",			"0" },
	/* Its first scan comes at the first fault whatever is set; it shall then find nothing to do. */
	{ SYSFS "khugepaged/max_ptes_none",		"0" },
	{ SYSFS "khugepaged/max_ptes_swap",		"0" },
	{ SYSFS "khugepaged/max_ptes_shared",		"0" },
	{ SYSFS "khugepaged/pages_to_scan",		"1" },
	{ SYSFS "khugepaged/scan_sleep_millisecs",	"4294967295" },
	{ SYSFS "khugepaged/alloc_sleep_millisecs",	"4294967295" },
};

int thp_init(void)
{
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!access(settings[i].file, F_OK) && write_file(settings[i].file, settings[i].value))
			return -1;
	return 0;
}
