// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "protocol.h"
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

/*
 * khugepaged wakes for the first mm that it is to look after, and sleeps as long as there is any: this is the first, and
 * stays. Or a program that advises huge pages for a table without holes would have it collapsed behind its back.
 */
static int occupy_khugepaged(void)
{
	const size_t size = 2ul * PMD_PAGES * PAGE_BYTES;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result;

	if (memory == MAP_FAILED)
		return -1;
	result = madvise(memory, size, MADV_HUGEPAGE);
	/* khugepaged_enter_vma() in a fault where a huge page fits. */
	for (size_t at = 0; at < size; at += size / 2)
		memory[at + size / 4] = 1;
	munmap(memory, size);
	return result;
}

int thp_init(void)
{
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!access(settings[i].file, F_OK) && write_file(settings[i].file, settings[i].value))
			return -1;
	/* A kernel without huge pages has no khugepaged either. */
	return access(SYSFS "enabled", F_OK) ? 0 : occupy_khugepaged();
}
