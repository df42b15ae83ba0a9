/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_OBSERVE_H
#define HMMDIFF_OBSERVE_H

/* The part of program.header.observe for which each process must look at itself. */
#define OBSERVE_IN_PROCESS	(OBSERVE_ALL & ~(OBSERVE_TRACE | OBSERVE_VMSTAT | OBSERVE_MEMINFO))

/* Opens /proc/kpageflags and /proc/kpagecount, for all processes that will be forked. Returns 0, -1 with errno. */
int observe_init(void);

/*
 * Appends the region observations of this process to the transcript. This changes nothing that is observed: a page
 * that is not present is never touched, and pages are read by plain loads (process_vm_readv() would take FOLL_PIN
 * references, which unshare pages).
 */
void observe_self(void);

#endif
