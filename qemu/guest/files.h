/* SPDX-License-Identifier: GPL-2.0-only */
/* The files that regions map, by enum region_backing: made for each program, and gone with its last process. */
#ifndef HMMDIFF_FILES_H
#define HMMDIFF_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

static inline bool is_hugetlb(uint8_t backing)
{
	return backing == BACKING_PRIVATE_HUGETLB || backing == BACKING_SHARED_HUGETLB;
}

/*
 * To be called in the first process of a program, before its first step; others inherit the files. A failure ends the
 * process.
 */
void files_make(void);

/*
 * Huge pages for the regions of hugetlb, if there are any: reserved before the program, given back after it. Return 0, -1
 * with errno.
 */
int reserve_huge_pages(void);
int return_huge_pages(void);

/* Whether the program has any. */
bool has_files(void);

/* MAP_SHARED or MAP_PRIVATE, with MAP_ANONYMOUS where there is no file. */
int map_flags(unsigned int region);

/* The descriptor to map; -1 where there is no file. */
int map_file(unsigned int region);

#endif
