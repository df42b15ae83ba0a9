/* SPDX-License-Identifier: GPL-2.0-only */
/* The files that regions map, by enum region_backing: made for each program, and gone with its last process. */
#ifndef HMMDIFF_FILES_H
#define HMMDIFF_FILES_H

#include <stdbool.h>

/*
 * To be called in the first process of a program, before its first step; others inherit the files. A failure ends the
 * process.
 */
void files_make(void);

/* Whether the program has any. */
bool has_files(void);

/* MAP_SHARED or MAP_PRIVATE, with MAP_ANONYMOUS where there is no file. */
int map_flags(unsigned int region);

/* The descriptor to map; -1 where there is no file. */
int map_file(unsigned int region);

#endif
