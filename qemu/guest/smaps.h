/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/self/smaps and smaps_rollup. Dear: the kernel writes a thousand characters for each mapping of the agent. */
#ifndef HMMDIFF_SMAPS_H
#define HMMDIFF_SMAPS_H

#include <stdbool.h>

#include "protocol.h"

/* Whether what is dear to look at is looked at after the current step: every smaps_every-th, and the last. */
bool dear_wanted(void);

/* Whether the program asks for smaps after the current step. */
bool smaps_wanted(void);

/* Appends what smaps says of each mapping of a region, and at the last step the rollup. Sets the record's counts. */
void append_smaps(struct process_record *record);

#endif
