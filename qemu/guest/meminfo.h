/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/meminfo: what the whole machine has, of which programs alone change what is read here. */
#ifndef HMMDIFF_MEMINFO_H
#define HMMDIFF_MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/*
 * What the machine has before a program of each enum gauge, in the units of the file and without what the agent shares with its
 * processes; NO_GAUGE of those that the file does not have. The end of the program before is the same. Returns 0, -1 with
 * errno.
 */
int begin_gauges(int32_t values[GAUGES]);

/* Whether the program asks for them after the current step: at every eighth at most, and at the last. */
bool gauges_wanted(void);

/*
 * Appends by how much the gauges differ from `before`. Drains the CPU's LRU batches first where the program has that done.
 * Returns 0, -1 with errno.
 */
int append_gauges(const int32_t before[GAUGES]);

/* The same at the end of a program. */
int end_gauges(const int32_t before[GAUGES]);

/* Something was, or is, done outside of programs that moves them. */
void forget_gauges(void);

#endif
