/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_VM_EVENTS_H
#define HMMDIFF_VM_EVENTS_H

#include <stdint.h>

#include "protocol.h"

/* What /proc/vmstat says of each enum vm_event; NO_VM_EVENT of those that it does not have. Returns 0, -1 with errno. */
int read_vm_events(uint64_t values[VM_EVENTS]);

#endif
