/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_HUNG_H
#define HMMDIFF_HUNG_H

#include <stdint.h>

/*
 * Appends a text about each process of the program to the transcript: state, what it waits in, its kernel stack.
 * Returns how many.
 */
uint32_t append_stacks(void);

#endif
