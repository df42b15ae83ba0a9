/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_VM_EVENTS_H
#define HMMDIFF_VM_EVENTS_H

#include "protocol.h"

/*
 * What /proc/vmstat counts while a program runs. Reading it costs as much as a step, so one reading is the end of a
 * program and the beginning of the next.
 */

/* Before a program. Returns 0, -1 with errno. */
int begin_vm_events(void);

/* Appends by how much each counter went up since then; NO_VM_EVENT for those that this kernel does not have. */
void append_vm_events(struct transcript_header *header);

/* Something was, or is, done outside of programs that moves counters. */
void forget_vm_events(void);

#endif
