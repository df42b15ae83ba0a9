/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_THP_H
#define HMMDIFF_THP_H

/*
 * Makes transparent huge pages depend on nothing but what programs do: advised memory gets them at faults, and
 * khugepaged rests. A kernel without them has nothing to set. Returns 0, -1 with errno.
 */
int thp_init(void);

#endif
